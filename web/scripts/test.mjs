// Runs the units. Node 18 reads no TypeScript, so they are bundled first.
import {build} from 'esbuild';
import {spawnSync} from 'node:child_process';
import {readdirSync, rmSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {outline} from './outline.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'node_modules/.test');
rmSync(out, {recursive: true, force: true});
const tests = readdirSync(join(root, 'test')).filter((name) => /\.test\.tsx?$/.test(name));
await build({
  absWorkingDir: root,
  entryPoints: tests.map((name) => `test/${name}`),
  outdir: out,
  bundle: true,
  platform: 'node',
  format: 'esm',
  outExtension: {'.js': '.mjs'},
  jsx: 'automatic',
  jsxImportSource: 'preact',
  alias: {'skirmish-client': resolve(root, '../clients/typescript/src/index.ts')},
  loader: {'.css': 'empty', '.bin': 'binary'},
  plugins: [outline],
  logLevel: 'warning',
});
const files = readdirSync(out).map((name) => join(out, name));
process.exitCode = spawnSync(process.execPath, ['--test', ...files], {stdio: 'inherit'}).status ?? 1;
