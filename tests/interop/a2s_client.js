// Asks an A2S server with a client of another make and prints what it understood, as JSON.
const { Server } = require('@fabricio-191/valve-server-query')
Server({ ip: '127.0.0.1', port: Number(process.argv[2]), timeout: 3000 })
  .then(server => server.getInfo())
  .then(info => { console.log(JSON.stringify(info, (k, v) => typeof v === 'bigint' ? String(v) : v)); process.exit(0) })
  .catch(e => { console.error(e); process.exit(1) })
