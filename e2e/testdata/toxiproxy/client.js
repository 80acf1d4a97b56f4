// Drives the API with the npm client toxiproxy-node-client, in the order in which its own tests do, and tells each answer that is not as expected.
const assert = require("node:assert/strict");
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

const [url, upstream] = process.argv.slice(2);
const toxiproxy = new Toxiproxy(url);

// says sends a line to a proxy and returns what comes back until the end, or the error's code.
function says(listen, text) {
  const at = listen.lastIndexOf(":");
  return new Promise((resolve) => {
    let back = "";
    const c = net.connect(Number(listen.slice(at + 1)), listen.slice(0, at), () => c.write(text + "\n"));
    c.setEncoding("utf8");
    c.on("data", (data) => { back += data; if (back.endsWith("\n")) c.end(); });
    c.on("error", (e) => resolve(e.code));
    c.on("close", () => resolve(back.trimEnd()));
  });
}

const refused = (status) => ({ message: `Request failed with status code ${status}` });

async function main() {
  assert.equal(JSON.parse(await toxiproxy.getVersion()).version, "2.12.0");
  assert.deepEqual(await toxiproxy.getAll(), {});
  const body = { name: "echo", listen: "127.0.0.1:0", upstream };
  const proxy = await toxiproxy.createProxy(body);
  assert.equal(proxy.enabled, true);
  await assert.rejects(toxiproxy.createProxy(body), refused(409));
  assert.equal((await toxiproxy.get("echo")).listen, proxy.listen);
  await assert.rejects(toxiproxy.get("nobody"), refused(404));
  assert.equal(await says(proxy.listen, "hello"), "hello");

  const types = {
    latency: { latency: 1000, jitter: 100 }, bandwidth: { rate: 1000 }, slow_close: { delay: 1000 }, timeout: { timeout: 5000 },
    slicer: { average_size: 1000, delay: 1000, size_variation: 1000 }, reset_peer: { timeout: 1000 }, limit_data: { bytes: 42 },
  };
  for (const [type, attributes] of Object.entries(types)) {
    const toxic = await proxy.addToxic({ type, attributes });
    assert.equal(toxic.name, type + "_downstream");
    assert.equal(toxic.toxicity, 1);
    assert.deepEqual(toxic.attributes, attributes);
    await assert.rejects(proxy.addToxic({ type, attributes }), refused(409));
    assert.deepEqual((await proxy.getToxic(toxic.name)).toJson(), toxic.toJson());
    assert.deepEqual((await toxic.update(toxic.toJson())).toJson(), toxic.toJson());
    await toxic.remove();
    await assert.rejects(proxy.getToxic(toxic.name), refused(404));
  }
  await assert.rejects(proxy.addToxic({ type: "latency", attributes: { latency: -1 } }), refused(400));
  const latency = await proxy.addToxic({ type: "latency", stream: "upstream", toxicity: 0.25, attributes: { latency: 5 } });
  assert.deepEqual((await latency.update({ attributes: { latency: 12345, jitter: 42 } })).attributes, { latency: 12345, jitter: 42 });
  assert.equal((await proxy.getToxic("latency_upstream")).toxicity, 0.25);
  await toxiproxy.reset();
  await assert.rejects(proxy.getToxic("latency_upstream"), refused(404));

  await proxy.addToxic({ name: "short", type: "limit_data", attributes: { bytes: 3 } });
  assert.equal(await says(proxy.listen, "hello"), "hel");
  await toxiproxy.reset();
  await proxy.addToxic({ name: "gone", type: "reset_peer", attributes: { timeout: 0 } });
  assert.equal(await says(proxy.listen, "hello"), "ECONNRESET");
  await toxiproxy.reset();
  const off = await proxy.update({ enabled: false, listen: proxy.listen, upstream: proxy.upstream });
  assert.equal(off.enabled, false);
  assert.equal(await says(proxy.listen, "hello"), "ECONNREFUSED");
  const on = await proxy.update({ enabled: true, listen: proxy.listen, upstream: "somehost:12345" });
  assert.deepEqual([on.enabled, on.upstream, on.listen], [true, "somehost:12345", proxy.listen]);
  await proxy.update({ enabled: true, listen: proxy.listen, upstream });
  assert.equal(await says(proxy.listen, "hello"), "hello");

  const populated = await toxiproxy.populate([body, { name: "two", listen: "127.0.0.1:0", upstream }]);
  assert.equal(populated.echo.listen, proxy.listen);
  assert.deepEqual(Object.keys(await toxiproxy.getAll()).sort(), ["echo", "two"]);
  for (const p of Object.values(await toxiproxy.getAll())) await p.remove();
  await assert.rejects(proxy.remove(), refused(404));
  console.log("all as expected");
}

main().catch((e) => { console.error(e); process.exit(1); });
