// A Minecraft server by PrismarineJS. Prints its port.
const mc = require('minecraft-protocol')
const server = mc.createServer({
  'online-mode': false, host: '127.0.0.1', port: Number(process.argv[2]), motd: 'Interop \u00a7ahere', maxPlayers: 42,
  version: '1.20.4'
})
server.on('listening', () => console.log('ready'))
