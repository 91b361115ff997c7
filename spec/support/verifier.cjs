// verifier.cjs KEYS MESSAGE...: what mailauth says of each signature of each message, a line each: the message's number,
// its selector, its domain, pass or fail. KEYS is a file with lines "name record".
const fs = require('fs');
const path = require('path');
const judges = path.join(__dirname, '../../build/judges/node_modules');
const { dkimVerify } = require(path.join(judges, 'mailauth/lib/dkim/verify'));

const [keys, ...messages] = process.argv.slice(2);
const records = new Map(
  fs.readFileSync(keys, 'utf8').trim().split('\n').map((line) => {
    const at = line.indexOf(' ');
    return [line.slice(0, at), line.slice(at + 1)];
  })
);

async function resolver(name, type) {
  if (type === 'TXT' && records.has(name)) return [[records.get(name)]];
  throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
}

(async () => {
  for (const [index, file] of messages.entries()) {
    const { results } = await dkimVerify(fs.readFileSync(file), { resolver });
    for (const { selector, signingDomain, status } of results) {
      console.log(index + 1, selector, signingDomain, status.result === 'pass' ? 'pass' : 'fail');
    }
  }
})();
