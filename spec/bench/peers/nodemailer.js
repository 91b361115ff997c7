// nodemailer: the ready message (raw) over one kept connection (its pool of one); or a connection a mail; or composed
// with a file attached.
//
//   node nodemailer.js port= ca= message= mails= warm= recipients= mode=warm|cold|mime|compose [user=] [scheme=] [file=]
//     [size=]
//
// compose: nothing is sent; text, and an attachment of size= bytes.
"use strict";
const fs = require("fs");
const nodemailer = require(process.env.BENCH_NODEMAILER);

const settings = Object.fromEntries(process.argv.slice(2).map((word) => {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
}));
const implicit = (settings.scheme || "smtps") === "smtps";
const options = {
  host: "127.0.0.1",
  port: Number(settings.port),
  name: "client.test",
  secure: implicit,
  requireTLS: true,
  tls: { ca: fs.readFileSync(settings.ca), servername: "localhost" },
  auth: settings.user ? { user: settings.user, pass: "secret" } : undefined,
  authMethod: "PLAIN",
};
if (settings.mode !== "cold") Object.assign(options, { pool: true, maxConnections: 1, maxMessages: Infinity });
const transport = nodemailer.createTransport(options);
const raw = fs.readFileSync(settings.message);
const to = Array.from({ length: Number(settings.recipients || 1) }, (_, i) => `user${i + 1}@sink.test`);
const ready = { envelope: { from: "bench@client.test", to }, raw };
const composed = () => ({
  from: "bench@client.test", to: "user1@sink.test", subject: "bench", text: "Here is the file.",
  attachments: [{ path: settings.file }],
});

function cpu() {
  const u = process.cpuUsage();
  return (u.user + u.system) / 1e6;
}

async function compose(n) {
  const composer = nodemailer.createTransport({ streamTransport: true, newline: "windows" });
  const content = Buffer.alloc(Number(settings.size), "1234567");
  for (let i = 0; i < n; i++) {
    const { message } = await composer.sendMail({
      from: "bench@client.test", to: "user1@sink.test", subject: "bench", text: "Here is the file.",
      attachments: [{ filename: "attachment.bin", content }],
    });
    for await (const chunk of message) if (!chunk.length) throw new Error("an empty chunk");
  }
}

async function send(n, make) {
  for (let i = 0; i < n; i++) await transport.sendMail(make());
}

(async () => {
  const mails = Number(settings.mails);
  if (settings.mode === "compose") {
    await compose(Number(settings.warm));
    const from = cpu();
    await compose(mails);
    console.log(`mails=${mails} cpu=${(cpu() - from).toFixed(6)}`);
    return;
  }
  await send(Number(settings.warm), () => ready);
  const before = cpu();
  const started = process.hrtime.bigint();
  await send(mails, settings.mode === "mime" ? composed : () => ready);
  const wall = Number(process.hrtime.bigint() - started) / 1e9;
  console.log(`mails=${mails} cpu=${(cpu() - before).toFixed(6)} wall=${wall.toFixed(6)}`);
  transport.close();
})().catch((err) => {
  console.error("failed:", err.message);
  process.exit(1);
});
