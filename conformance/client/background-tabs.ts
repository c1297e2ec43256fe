import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { endOwned, startOwned } from '@holdfast/store/testing/owned-process';
import { chromiumFlags, chromiumPath } from '../browser.ts';
import type { Tab } from './tabs.ts';

/** A tab that can be in the background. */
export interface BackgroundTab extends Tab {
  /** Brings it to the front of its window, whose other tabs are hidden then. */
  show(): Promise<void>;
  /** Freezes it, which must be hidden, as the browser does to save energy, until it is shown. */
  freeze(): Promise<void>;
}

export interface BrowserWindow extends AsyncDisposable {
  /** Opens a tab at the front. */
  open(url: string): Promise<BackgroundTab>;
}

/**
 * One window of Chromium, of whose tabs one is shown. Playwright emulates focus for every page that it
 * drives, so that none is ever hidden; these are driven over the DevTools protocol alone.
 */
export async function openWindow(): Promise<BrowserWindow> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-chromium-'));
  const flags = [...chromiumFlags, '--remote-debugging-port=0', `--user-data-dir=${folder}`];
  const child = startOwned(chromiumPath, [...flags, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const close = async (): Promise<void> => {
    await endOwned(child);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const devTools = await connect(await addressIn(child.stderr));
    return {
      open: async (url) => openTab(devTools, url),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function addressIn(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface(output)) {
    const [, address] = /^DevTools listening on (ws:\S+)$/.exec(line) ?? [];
    if (address === undefined) continue;
    // What it says from now on is read and thrown away, or it would wait for a reader.
    output.resume();
    return address;
  }
  throw new Error('Chromium ended before it listened');
}

type DevTools = (method: string, parameters?: object, session?: string) => Promise<unknown>;

async function connect(address: string): Promise<DevTools> {
  const socket = new WebSocket(address);
  await once(socket, 'open');
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(data as string) as {
      readonly id?: number;
      readonly result?: unknown;
      readonly error?: { readonly message: string };
    };
    const call = pending.get(answer.id ?? 0);
    if (answer.error === undefined) call?.resolve(answer.result);
    else call?.reject(new Error(answer.error.message));
  });
  socket.addEventListener('close', () => {
    for (const { reject } of pending.values()) reject(new Error('Chromium is gone'));
  });
  return (method, params = {}, sessionId) => {
    const id = pending.size + 1;
    const call = Promise.withResolvers<unknown>();
    pending.set(id, call);
    socket.send(JSON.stringify({ id, method, params, sessionId }));
    return call.promise;
  };
}

async function openTab(devTools: DevTools, url: string): Promise<BackgroundTab> {
  const { targetId } = (await devTools('Target.createTarget', { url })) as { targetId: string };
  const attached = await devTools('Target.attachToTarget', { targetId, flatten: true });
  const { sessionId } = attached as { sessionId: string };
  return {
    evaluate: async <Result>(expression: string) => {
      const parameters = { expression, returnByValue: true, awaitPromise: true };
      const { result, exceptionDetails } = (await devTools(
        'Runtime.evaluate',
        parameters,
        sessionId,
      )) as { result: { value: Result }; exceptionDetails?: { text: string } };
      if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text);
      return result.value;
    },
    show: async () => {
      await devTools('Page.bringToFront', {}, sessionId);
    },
    freeze: async () => {
      await devTools('Page.setWebLifecycleState', { state: 'frozen' }, sessionId);
    },
  };
}
