/** Many subscribers of one channel in a process of their own, which count what they get. */
import { WebSocket } from 'ws';

const [port = '', channel = '', count = ''] = process.argv.slice(2);
let received = 0;

function watch(): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/connection/websocket`);
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => {
      socket.send(`{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"${channel}"}}`);
    });
    socket.on('message', (data: Buffer) => {
      for (const line of data.toString().split('\n')) {
        if (line === '{}') socket.send('{}');
        else if (line.includes('"pub":')) received += 1;
        else if (line.includes('"id":2')) {
          if (line.includes('"error"')) reject(new Error(line));
          else resolve();
        }
      }
    });
  });
}

for (let left = Number(count); left > 0; left -= 50) {
  await Promise.all(Array.from({ length: Math.min(50, left) }, watch));
}
process.on('message', () => process.send?.(received));
process.send?.('ready');
