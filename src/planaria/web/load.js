/**
 * The module `name` of `packed`, or its last: base64 of gzip of [[name, text], ...], each after those that it imports by
 * name; then, after commas, files that they read.
 */
async function load(packed, name) {
  const parts = packed.split(",");
  const bytes = Uint8Array.from(atob(parts[0]), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const blob = (...parts) => URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
  // A worker unpacks its modules itself: where a page is a file, no worker may load a blob that the page made, but for
  // its first. Until they have run, messages wait.
  const begin = (module) => `${load}
    const early = [];
    onmessage = ({ data }) => early.push(data);
    const late = () => early.forEach((data) => dispatchEvent(new MessageEvent("message", { data })));
    load("${packed}", "${module}").then(late, (error) => setTimeout(() => { throw error; }));`;
  const urls = {};
  for (const [one, text] of await new Response(stream).json()) {
    const linked = text
      .replace(/^(import .* from )"(.*)";$/gm, (_, head, from) => `${head}"${urls[from]}";`)
      .replace(/"file (\d+)"/g, (_, place) => `"${parts[place]}"`)
      .replace(/new URL\("(.*)", import\.meta\.url\), \{ type: "module" \}/g, (_, module) => `"${blob(begin(module))}"`);
    urls[one] = blob(linked, `//# sourceURL=planaria/${one}\n`);
    if (one === name) break;
  }
  const all = Object.values(urls);
  const loaded = await import(all.at(-1));
  for (const url of all) URL.revokeObjectURL(url);
  return loaded;
}
