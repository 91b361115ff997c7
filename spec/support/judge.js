// judge: reads messages with npm's mailparser, which shares no code with smtpsec, nor with Python.
//
//     judge.js FILE...            each file a message
//
// Prints one Lua expression, a list with an entry for each file, in the shape of judge.py's: one comparison serves both.
// Whatever mailparser has no opinion on is said as a defect: an encoded word that ends inside a grapheme.
"use strict";
const fs = require("fs");
const libmime = require("libmime");
const { MailParser } = require("mailparser");

// A value as a Lua expression.
function lua(value) {
  if (value === undefined || value === null) return "nil";
  if (typeof value === "boolean" || typeof value === "number") return String(value);
  if (typeof value === "string") value = Buffer.from(value);
  if (Buffer.isBuffer(value)) {
    const escaped = (c) => "\\" + c.charCodeAt(0).toString().padStart(3, "0");
    return '"' + value.toString("latin1").replace(/[^ !#-[\]-~]/g, escaped) + '"';
  }
  if (Array.isArray(value)) return "{" + value.map(lua).join(",") + "}";
  const pairs = Object.entries(value).filter(([, v]) => v !== undefined && v !== null);
  return "{" + pairs.map(([k, v]) => `[${lua(k)}]=${lua(v)}`).join(",") + "}";
}

function parse(bytes) {
  return new Promise((resolve, reject) => {
    const contents = [], parser = new MailParser({ skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true });
    parser.on("error", reject);
    parser.on("data", (data) => {
      if (data.type !== "attachment") return;
      const chunks = [];
      data.content.on("data", (chunk) => chunks.push(chunk));
      data.content.on("end", () => {
        contents.push(Buffer.concat(chunks));
        data.release();
      });
    });
    parser.on("end", () => resolve({ parser, contents }));
    parser.end(bytes);
  });
}

// A field's text: mailparser decodes the words of those it knows only.
function decoded(line) {
  const { value } = libmime.decodeHeader(line);
  return libmime.decodeWords(Buffer.from(value || "", "binary").toString());
}

const PEOPLE = { from: "From", sender: "Sender", "reply-to": "Reply-To", to: "To", cc: "Cc", bcc: "Bcc" };

function flat(boxes) {
  return boxes.flatMap((box) => box.group ? flat(box.group) : [{ name: box.name, address: box.address }]);
}

function people(headers) {
  const addresses = {}, groups = {};
  for (const [key, name] of Object.entries(PEOPLE)) {
    const field = headers.get(key);
    if (!field) continue;
    addresses[name] = flat(field.value);
    const found = field.value.filter((box) => box.group).map((box) => ({ name: box.name, members: box.group.length }));
    if (found.length) groups[name] = found;
  }
  return { addresses, groups };
}

function walk(node, depth, contents, parts) {
  const type = node.headers.get("content-type"), disposition = node.headers.get("content-disposition");
  const leaf = !/^multipart\//.test(node.contentType);
  parts.push({
    depth,
    type: node.contentType,
    parameters: type ? type.params : {},
    disposition: disposition ? disposition.value : undefined,
    filename: disposition ? node.node.filename || undefined : undefined,
    cid: node.headers.get("content-id"),
    content: node.isAttachment ? contents.shift() : undefined,
    text: leaf && !node.isAttachment ? node.textContent : undefined,
  });
  for (const child of node.children) walk(child, depth + 1, contents, parts);
}

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const HELD = 45; // octets that the longest encoded word holds: a longer grapheme must be split

// Where adjacent words part a character or a grapheme.
function torn(bytes) {
  const found = [], section = bytes.toString("latin1").split("\r\n\r\n")[0].replace(/\r\n[ \t]/g, " ");
  for (const run of section.match(/=\?UTF-8\?[BQ]\?[^? ]*\?=(?: +=\?UTF-8\?[BQ]\?[^? ]*\?=)+/g) || []) {
    const words = run.split(/ +/).map((word) => libmime.decodeWords(word));
    if (words.some((word) => word.includes("\uFFFD"))) found.push("a character is torn: " + run);
    const ends = new Set();
    let end = 0;
    for (const word of words) ends.add(end += word.length);
    for (const { segment, index } of segmenter.segment(words.join(""))) {
      for (let at = index + 1; at < index + segment.length; at++) {
        if (ends.has(at) && Buffer.byteLength(segment) <= HELD) found.push("a grapheme is torn: " + segment);
      }
    }
  }
  return found;
}

async function message(bytes) {
  const { parser, contents } = await parse(bytes);
  const { headers } = parser, date = headers.get("date"), parts = [];
  walk(parser.tree, 0, contents, parts);
  return {
    defects: torn(bytes),
    fields: parser.headerLines.map(({ line }) => [line.split(":")[0], decoded(line)]),
    ...people(headers),
    subject: headers.get("subject"),
    date: date ? Math.floor(date.getTime() / 1000) : undefined,
    list: headers.get("list"),
    parts,
  };
}

async function main(paths) {
  const results = [];
  for (const path of paths) results.push(`(function() return ${lua(await message(fs.readFileSync(path)))} end)()`);
  process.stdout.write("return {" + results.join(",\n") + "}\n");
}

main(process.argv.slice(2));
