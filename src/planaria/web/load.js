/** The last of `packed`'s modules: base64 of gzip of [[name, text], ...], each after those that it imports by name. */
async function load(packed) {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  let url;
  const urls = {};
  for (const [name, text] of await new Response(stream).json()) {
    const linked = text.replace(/^(import .* from )"(.*)";$/gm, (_, head, from) => `${head}"${urls[from]}";`);
    url = URL.createObjectURL(new Blob([linked, `//# sourceURL=planaria/${name}\n`], { type: "text/javascript" }));
    urls[name] = url;
  }
  const loaded = await import(url);
  for (const one of Object.values(urls)) URL.revokeObjectURL(one);
  return loaded;
}
