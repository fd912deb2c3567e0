// The camera of this machine, so that cells repaint whoever sits before it.

import { tag } from "./elements.js";

const PICTURES = 15; // a second

/** What a camera sees, as in a mirror, on a canvas. */
export class Webcam {
  constructor() {
    this.canvas = tag("canvas");
    this.video = tag("video", { playsinline: true });
    this.video.muted = true;
    this.last = -Infinity;
  }

  /** Whether this browser lets a page ask for one. */
  static get there() {
    return Boolean(globalThis.navigator.mediaDevices?.getUserMedia);
  }

  /** Ask for the camera and wait for its first picture; throws an Error in words. */
  async open() {
    try {
      const video = { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } };
      this.stream = await navigator.mediaDevices.getUserMedia({ video });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.close();
      const refused = error.name === "NotAllowedError";
      throw new Error(refused ? "This page may not use the camera." : "No camera can be had here.");
    }
    this.look();
  }

  /** Whether it is time for a new picture. */
  due(now) {
    if (now - this.last < 1000 / PICTURES) return false;
    this.last = now;
    return true;
  }

  /** What it sees now. */
  look() {
    const { canvas, video } = this;
    const [width, height] = [video.videoWidth || 4, video.videoHeight || 3];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(-1, 0, 0, 1, width, 0);
    context.drawImage(video, 0, 0);
    return canvas;
  }

  /** Let go of it: its light goes out. */
  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
  }
}
