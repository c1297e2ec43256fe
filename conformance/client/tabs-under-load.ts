import type { Browser, Page } from 'playwright-core';
import { expect, vi } from 'vitest';
import { leaderOf, patient, rendererOf } from './tabs.ts';

/** Publishes the numbers from 0 on, all the time, until it is stopped. */
export function publishAllTheTime(publish: (count: number) => Promise<unknown>) {
  const sent: number[] = [];
  const stopped = new AbortController();
  const done = (async () => {
    while (!stopped.signal.aborted) {
      sent.push(sent.length);
      await publish(sent.length - 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    sent,
    stop: async (): Promise<void> => {
      stopped.abort();
      await done;
    },
  };
}

/**
 * Kills the tab that has the connection with SIGKILL, and the next one as soon as that has it. Pages
 * that share its process die with it.
 * @returns the tabs that live
 */
export async function killLeaders(tabs: readonly Page[], times: number): Promise<readonly Page[]> {
  const dead = new Set<Page>();
  for (const page of tabs) page.on('crash', () => dead.add(page));
  let living = tabs;
  for (let round = 0; round < times; round++) {
    const leader = await leaderOf(living);
    process.kill(await rendererOf(leader), 'SIGKILL');
    await vi.waitFor(() => expect(dead).toContain(leader), patient);
    living = living.filter((page) => !dead.has(page));
    const next = await leaderOf(living);
    expect(next).not.toBe(leader);
    await next.waitForFunction('api.client.state.status === "connected"');
  }
  return living;
}

/** Ends the worker that holds the connection, and gives the tab that holds it after that. */
export async function endWorker(tabs: readonly Page[], browser: Browser): Promise<Page> {
  const cdp = await browser.newBrowserCDPSession();
  const { targetInfos } = await cdp.send('Target.getTargets');
  const worker = targetInfos.find(({ type }) => type === 'shared_worker');
  await cdp.send('Target.closeTarget', { targetId: worker!.targetId });
  const next = await leaderOf(tabs);
  await next.waitForFunction('api.client.state.status === "connected"');
  return next;
}
