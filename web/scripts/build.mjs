// Builds dist/: the HTML pages, their scripts and styles under names that carry a hash of the content, and the widget.
// Fails when all of it together is over the budget.
import {build, context} from 'esbuild';
import {mkdir, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {outline} from './outline.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const budget_bytes = 100 * 1024; // gzip'd, of everything
const widget_budget_bytes = 10 * 1024; // not compressed

// In dist, keys of texts are two or three letters. Those that a page puts together (`check.${name}`) stay as they are; they
// come first.
async function textKeys() {
  const sources = (await filesUnder(join(root, 'src'))).filter((path) => /\.tsx?$/.test(path) && !/[/\\]widget[/\\]/.test(path));
  const made = new Set();
  for (const path of sources)
    for (const [, prefix] of (await readFile(path, 'utf8')).matchAll(/`([a-z_]+\.[a-z_.]*)\$\{/g)) made.add(prefix);
  const isMade = (key) => [...made].some((prefix) => key.startsWith(prefix));
  const all = Object.keys((await evaluate(join(root, 'src/i18n/en.ts'))).en);
  const short = all.filter((key) => !isMade(key));
  return {sources, made: all.filter(isMade), short: new Map(short.map((key, i) => [key, `k${i.toString(36)}`]))};
}

// The texts of a language repeat the keys of English: in dist they are a list in the same order. The keys of English itself
// are counted.
const texts = {
  name: 'texts',
  setup({onLoad}) {
    onLoad({filter: /src[/\\]i18n[/\\]en\.ts$/}, async ({path}) => {
      const {en} = await evaluate(path);
      const {made, short} = await textKeys();
      const kept = JSON.stringify(Object.fromEntries(made.map((key) => [key, en[key]])));
      const list = JSON.stringify([...short.keys()].map((key) => en[key]));
      const contents = `export const en = ${kept}; ${list}.forEach((text, i) => (en['k' + i.toString(36)] = text));`;
      return {contents, loader: 'js', resolveDir: dirname(path), watchFiles: (await filesUnder(dirname(path))).filter((one) => one.endsWith('.ts'))};
    });
    onLoad({filter: /src[/\\]i18n[/\\](fr|ru)\.ts$/}, async ({path}) => {
      const language = /(fr|ru)\.ts$/.exec(path)[1];
      const folder = dirname(path);
      const values = (await evaluate(path))[language];
      const {made, short} = await textKeys();
      const english = [...made, ...short.keys()];
      const missing = english.filter((key) => !(key in values));
      if (missing.length > 0) throw new Error(`${path} lacks ${missing.join(', ')}`);
      const list = JSON.stringify(english.map((key) => values[key]));
      const contents = `import {en} from './en'; const list = ${list}; export const ${language} = Object.fromEntries(Object.keys(en).map((key, i) => [key, list[i]]));`;
      const watchFiles = (await filesUnder(folder)).filter((one) => one.endsWith('.ts'));
      return {contents, loader: 'js', resolveDir: folder, watchFiles};
    });
  },
};

const keys = {
  name: 'keys',
  async setup({onLoad}) {
    const {sources, short} = await textKeys();
    onLoad({filter: /src[/\\].*\.tsx?$/}, async ({path}) => {
      if (!sources.includes(path) || /i18n[/\\](fr|ru)\.ts$/.test(path)) return undefined;
      const contents = (await readFile(path, 'utf8')).replace(/'([a-z_]+\.[a-zA-Z0-9_.]+)'/g, (whole, key) => (short.has(key) ? `'${short.get(key)}'` : whole));
      return {contents, loader: path.endsWith('x') ? 'tsx' : 'ts'};
    });
  },
};

// The client's streams of events are for game servers.
const without_streams = {
  name: 'without_streams',
  setup({onLoad}) {
    onLoad({filter: /clients[/\\]typescript[/\\]src[/\\]stream\.ts$/}, () => ({contents: 'export class EventStream {}', loader: 'js'}));
  },
};

async function evaluate(path) {
  const {outputFiles} = await build({entryPoints: [path], bundle: true, write: false, format: 'esm', logLevel: 'silent'});
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  charset: 'utf8',
  target: ['chrome109', 'firefox115', 'safari16'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  alias: {'skirmish-client': resolve(root, '../clients/typescript/src/index.ts')},
  legalComments: 'none',
  logLevel: 'warning',
};

const pages = {
  ...common,
  entryPoints: ['src/console.tsx', 'src/public.tsx', 'src/style/base.css'],
  outdir: 'dist/assets',
  outbase: 'src',
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: {'.bin': 'file'},
  format: 'esm',
  splitting: true,
  metafile: true,
  plugins: [texts, keys, outline, without_streams],
};

const widget = {...common, entryPoints: ['src/widget/widget.ts'], outfile: 'dist/widget.js', format: 'iife'};

// Each page names its script, its style sheets, and the chunks that the script needs at once.
async function writeHtml(metafile) {
  const html = {'src/console.tsx': 'console.html', 'src/public.tsx': 'index.html'};
  const base = Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint === 'src/style/base.css');
  for (const [path, output] of Object.entries(metafile.outputs)) {
    const name = html[output.entryPoint];
    if (!name) continue;
    const url = (file) => file.replace(/^dist\//, '');
    const chunks = output.imports.filter(({kind}) => kind === 'import-statement').map((one) => one.path);
    const styles = [base, output.cssBundle].filter(Boolean);
    const text = (await readFile(join(root, 'html', name), 'utf8'))
      .replace('%STYLES%', styles.map((one) => `<link rel="stylesheet" href="${url(one)}">`).join(''))
      .replace('%SCRIPT%', url(path))
      .replace('%PRELOADS%', chunks.map((chunk) => `<link rel="modulepreload" href="${url(chunk)}">`).join(''));
    await writeFile(join(dist, name), text);
  }
}

async function filesUnder(folder) {
  const entries = await readdir(folder, {withFileTypes: true});
  const lists = entries.map((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
  return (await Promise.all(lists)).flat();
}

async function checkBudget() {
  let total = 0;
  for (const path of await filesUnder(dist)) {
    const bytes = await readFile(path);
    total += gzipSync(bytes, {level: 9}).length;
    if (path.endsWith('widget.js') && bytes.length > widget_budget_bytes)
      throw new Error(`widget.js has ${bytes.length} bytes; ${widget_budget_bytes} are allowed`);
  }
  console.log(`dist: ${(total / 1024).toFixed(1)} KB gzip'd of ${budget_bytes / 1024} KB`);
  if (total > budget_bytes) throw new Error('dist is over its budget');
}

async function once() {
  await rm(dist, {recursive: true, force: true});
  await mkdir(dist, {recursive: true});
  const [{metafile}] = await Promise.all([build(pages), build(widget)]);
  await writeHtml(metafile);
  await checkBudget();
}

if (process.argv.includes('--watch')) {
  await once();
  const rewrite = {name: 'html', setup: ({onEnd}) => onEnd(({metafile}) => (metafile ? writeHtml(metafile) : undefined))};
  for (const options of [{...pages, minify: false, plugins: [outline, rewrite]}, widget]) await (await context(options)).watch();
} else {
  await once().catch((problem) => {
    console.error(problem.message);
    process.exitCode = 1;
  });
}
