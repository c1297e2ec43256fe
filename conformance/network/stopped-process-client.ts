/** Two clients in a process that can be stopped. Prints what they receive, as `<client> <number>`. */
import { connectTwoClients } from './two-clients.ts';

const [url = ''] = process.argv.slice(2);
const { received } = await connectTwoClients(url);
process.stdout.write('ready\n');
const printed = { stock: 0, own: 0 };
setInterval(() => {
  for (const name of ['stock', 'own'] as const) {
    for (const data of received[name].slice(printed[name])) {
      printed[name] += 1;
      process.stdout.write(`${name} ${JSON.stringify(data)}\n`);
    }
  }
}, 20);
