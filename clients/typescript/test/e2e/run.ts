// Runs a scenario in Node: node run.js NAME WORLD, where WORLD is JSON. Prints what it returns.
import {scenarios, type World} from './scenarios.js';

const [name, text] = process.argv.slice(2) as [string, string];
const world = JSON.parse(text) as World;
// Node has a WebSocket of its own from version 22 on.
if (typeof globalThis.WebSocket === 'undefined') world.WebSocket = (await import('ws')).WebSocket;
console.log(JSON.stringify(await scenarios[name]!(world)));
