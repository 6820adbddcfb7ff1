'use strict';
const make = (tag, text, className) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const row = cells => {
  const tr = make('tr');
  for (const cell of cells) tr.append(make('td', cell));
  return tr;
};
const parameters = list => {
  const table = make('table');
  for (const p of list) {
    const s = p.schema;
    const range = s.minimum !== undefined ? ` ${s.minimum} to ${s.maximum}` : '';
    table.append(row([p.name, p.in, (s.type || '') + range, p.description || '']));
  }
  return table;
};
const operation = (path, verb, op) => {
  const box = make('details');
  box.dataset.text = `${verb} ${path} ${op.summary}`.toLowerCase();
  const head = make('summary');
  head.append(make('span', verb.toUpperCase(), 'verb ' + verb.toUpperCase()), make('code', path), make('span', op.summary, 'what'));
  const body = make('div', undefined, 'body');
  body.append(make('p', op.description));
  if (op.parameters.length) body.append(make('h4', 'Parameters'), parameters(op.parameters));
  if (op.requestBody) {
    body.append(make('h4', 'Body'), make('pre', JSON.stringify(op.requestBody.content['application/json'].schema, null, 2)));
  }
  body.append(make('h4', 'Answer'), make('p', answers(op.responses)));
  box.append(head, body);
  return box;
};
// What a success means, and the statuses that may come.
const answers = all => {
  const statuses = Object.keys(all);
  const success = statuses.find(status => status < 400);
  return `${all[success].description} Statuses: ${statuses.join(', ')}.`;
};
const show = doc => {
  document.getElementById('intro').textContent = `${doc.info.description} Version ${doc.info.version}.`;
  const groups = new Map();
  for (const [path, verbs] of Object.entries(doc.paths))
    for (const [verb, op] of Object.entries(verbs)) {
      const tag = op.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(path, verb, op));
    }
  const main = document.getElementById('routes');
  main.textContent = '';
  for (const [tag, items] of [...groups].sort()) {
    const section = make('section');
    section.append(make('h2', tag), ...items);
    main.append(section);
  }
};
document.getElementById('filter').addEventListener('input', event => {
  const wanted = event.target.value.toLowerCase();
  for (const box of document.querySelectorAll('details')) box.hidden = !box.dataset.text.includes(wanted);
});
fetch('openapi.json').then(r => r.json()).then(show)
  .catch(e => { document.getElementById('routes').textContent = 'The document could not be loaded: ' + e; });
