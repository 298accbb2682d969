// Recordings as seeds for the fuzzer: node seeds.mjs <folder of recordings> <corpus folder>
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [from, to] = process.argv.slice(2);
for (const name of readdirSync(from).filter((file) => file.endsWith('.jsonl'))) {
  const rows = readFileSync(join(from, name), 'utf8').trim().split('\n').map((row) => JSON.parse(row));
  const server = rows.filter((row) => row.dir === 's2c' && (row.hex ?? row.bytes ?? row.text) !== undefined);
  const bytes = Buffer.concat(server.map((row) => (row.hex ? Buffer.from(row.hex, 'hex') : Buffer.from(row.bytes ?? row.text))));
  for (let at = 0, part = 0; at < bytes.length; at += 3000, part += 1) {
    const seed = Buffer.concat([Buffer.from([part * 7]), bytes.subarray(at, at + 3000)]);
    writeFileSync(join(to, `${name.replace('.jsonl', '')}-${part}`), seed);
  }
}
