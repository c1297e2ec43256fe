import { RemoteProcess } from '../processes/calls.ts';
import { machineBusyUs, machineShare } from '../processes/resource-usage.ts';
import type { StormGeneratorMethods } from './generator-process.ts';
import type { StormServerMethods } from './server-process.ts';

export interface StormSettings {
  readonly target: 'holdfast' | 'socket.io';
  readonly clients: number;
  /** @defaultValue true */
  readonly hasAdmission?: boolean;
}

/** What the machine did meanwhile. */
export interface StormCost {
  readonly elapsedMs: number;
  readonly serverCpuSeconds: number;
  readonly generatorShare: number;
  readonly foreignShare: number;
}

/** One server and its clients, connected, each side in a process of its own. */
export class Storm implements AsyncDisposable {
  readonly server: RemoteProcess<StormServerMethods>;
  readonly clients: RemoteProcess<StormGeneratorMethods>;

  private constructor(target: string) {
    const callTimeoutMs = 300_000;
    const processOf = (role: string, file: string) => ({
      name: `${target} ${role}`,
      entry: new URL(file, import.meta.url),
      callTimeoutMs,
    });
    this.server = new RemoteProcess(processOf('server', 'server-process.ts'));
    this.clients = new RemoteProcess(processOf('clients', 'generator-process.ts'));
  }

  static async begin({ target, clients, hasAdmission = true }: StormSettings): Promise<Storm> {
    const storm = new Storm(target);
    try {
      const port = await storm.server.call('start', { target, hasAdmission });
      await storm.clients.call('connect', { target, port, count: clients });
      return storm;
    } catch (error) {
      await storm[Symbol.asyncDispose]();
      throw error;
    }
  }

  async costOf<Result>(work: () => Promise<Result>): Promise<{ result: Result; cost: StormCost }> {
    const before = await this.#usage();
    const result = await work();
    const after = await this.#usage();
    const elapsedMs = after.timeMs - before.timeMs;
    const serverUs = after.server.cpuUs - before.server.cpuUs;
    const clientsUs = after.clients.cpuUs - before.clients.cpuUs;
    const foreignUs = after.busyUs - before.busyUs - serverUs - clientsUs;
    const cost = {
      elapsedMs,
      serverCpuSeconds: serverUs / 1e6,
      generatorShare: clientsUs / (elapsedMs * 1_000),
      foreignShare: Math.max(0, machineShare(foreignUs, elapsedMs)),
    };
    return { result, cost };
  }

  async #usage() {
    const [server, clients] = await Promise.all([
      this.server.call('usage'),
      this.clients.call('usage'),
    ]);
    return { server, clients, busyUs: machineBusyUs(), timeMs: performance.now() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.clients[Symbol.asyncDispose](), this.server[Symbol.asyncDispose]()]);
  }
}

/** A share as people read it: 100 % only when it is all. */
export function percent(part: number, whole: number): string {
  if (part === whole) return '100 %';
  return `${(Math.floor((part / whole) * 10_000) / 100).toFixed(2)} %`;
}
