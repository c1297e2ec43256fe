import { RemoteProcess } from './calls.ts';
import type { GeneratorMethods } from './generator-process.ts';
import { machineBusyUs, machineShare, type ProcessUsage } from './resource-usage.ts';
import type { ServerMethods } from './server-process.ts';

export interface MeasuredServerSettings {
  readonly target: string;
  readonly pingIntervalMs: number;
}

/** What a window of time cost. */
export interface WindowCost {
  readonly elapsedMs: number;
  readonly serverCpuUs: number;
  readonly generatorCpuUs: number;
  /** Share of the machine that neither server, generator nor runner used: other people's work. */
  readonly foreignShare: number;
  /** Share of the window in which the generator computed; near 1 it is the bottleneck itself. */
  readonly generatorShare: number;
}

/** One server under test and the load generator that belongs to it, each in an own process. */
export class MeasuredServer implements AsyncDisposable {
  readonly target: string;
  readonly server: RemoteProcess<ServerMethods>;
  readonly generator: RemoteProcess<GeneratorMethods>;

  private constructor(target: string) {
    this.target = target;
    this.server = new RemoteProcess({
      name: `${target} server`,
      entry: new URL('server-process.ts', import.meta.url),
    });
    this.generator = new RemoteProcess({
      name: `${target} generator`,
      entry: new URL('generator-process.ts', import.meta.url),
    });
  }

  static async start(settings: MeasuredServerSettings): Promise<MeasuredServer> {
    const measured = new MeasuredServer(settings.target);
    try {
      const port = await measured.server.call('start', settings);
      await measured.generator.call('connectTo', { target: settings.target, port });
      return measured;
    } catch (error) {
      await measured[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs `work` and tells what it cost; nothing else of the benchmark runs meanwhile. */
  async costOf<Result>(work: () => Promise<Result>): Promise<{ result: Result; cost: WindowCost }> {
    const before = await this.#usage();
    const result = await work();
    const after = await this.#usage();
    const elapsedMs = after.timeMs - before.timeMs;
    const serverCpuUs = after.server.cpuUs - before.server.cpuUs;
    const generatorCpuUs = after.generator.cpuUs - before.generator.cpuUs;
    const runnerCpuUs = after.runnerCpuUs - before.runnerCpuUs;
    const foreignUs = after.busyUs - before.busyUs - serverCpuUs - generatorCpuUs - runnerCpuUs;
    const cost = {
      elapsedMs,
      serverCpuUs,
      generatorCpuUs,
      foreignShare: Math.max(0, machineShare(foreignUs, elapsedMs)),
      generatorShare: generatorCpuUs / (elapsedMs * 1_000),
    };
    return { result, cost };
  }

  async #usage(): Promise<UsageSample> {
    const [server, generator] = await Promise.all([
      this.server.call('usage'),
      this.generator.call('usage'),
    ]);
    const { user, system } = process.cpuUsage();
    return {
      server,
      generator,
      runnerCpuUs: user + system,
      busyUs: machineBusyUs(),
      timeMs: performance.now(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.generator[Symbol.asyncDispose](), this.server[Symbol.asyncDispose]()]);
  }
}

interface UsageSample {
  readonly server: ProcessUsage;
  readonly generator: ProcessUsage;
  readonly runnerCpuUs: number;
  readonly busyUs: number;
  readonly timeMs: number;
}

/** Starts one server per target; disposing ends all of them. */
export async function startAll(
  targets: readonly string[],
  settings: Omit<MeasuredServerSettings, 'target'>,
): Promise<MeasuredServers> {
  const servers: MeasuredServer[] = [];
  try {
    for (const target of targets) servers.push(await MeasuredServer.start({ ...settings, target }));
  } catch (error) {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    throw error;
  }
  return {
    servers,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

export interface MeasuredServers extends AsyncDisposable {
  readonly servers: readonly MeasuredServer[];
}
