import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type BackgroundTab, type BrowserWindow, openWindow } from './background-tabs.ts';
import type { AppOptions, RunningApp } from './running-app.ts';
import {
  allSubscribed,
  expectReceived,
  expectServerReceived,
  heldBy,
  leaderOf,
  oneConnection,
  patient,
  receivedBy,
  sharedPageFiles,
} from './tabs.ts';
import { startTokenApp } from './token-app.ts';

let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

const visibility = (tab: BackgroundTab) => tab.evaluate<string>('document.visibilityState');

async function show(tab: BackgroundTab, tabs: readonly BackgroundTab[]): Promise<void> {
  await tab.show();
  await vi.waitFor(async () => {
    for (const one of tabs) expect(await visibility(one)).toBe(one === tab ? 'visible' : 'hidden');
  }, patient);
}

/** Tabs of one window: the last one is shown, and the first one leads where tabs are elected. */
async function openTabs(
  window: BrowserWindow,
  { url }: RunningApp,
  mode: string,
): Promise<readonly BackgroundTab[]> {
  const tabs: BackgroundTab[] = [];
  for (let n = 0; n < 4; n++) {
    tabs.push(await window.open(`${url}/?${mode}&jwt`));
    await allSubscribed(tabs);
  }
  await show(tabs.at(-1)!, tabs);
  return tabs;
}

/** Into a channel that the tabs subscribed to, and into one that the server did. */
async function publish({ hub }: RunningApp, sent: unknown[], count = 5): Promise<void> {
  for (let n = 0; n < count; n++) {
    sent.push(sent.length);
    await hub.publish('news', sent.length - 1);
    await hub.publish('updates', sent.length - 1);
  }
}

async function expectAll(tabs: readonly BackgroundTab[], sent: readonly unknown[]): Promise<void> {
  await expectReceived(tabs, sent);
  await expectServerReceived(tabs, sent);
}

test('a leader that was hidden for a minute leaves the connection to the tab that is shown', async () => {
  await using running = await startTokenApp({ files });
  await using window = await openWindow();
  const tabs = await openTabs(window, running, 'elected');
  const [leader] = tabs;
  const shown = tabs.at(-1);
  expect(await leaderOf(tabs)).toBe(leader);
  const sent: unknown[] = [];
  await publish(running, sent);
  await expectAll(tabs, sent);
  await vi.waitFor(
    async () => {
      // The minute passes by the clock of the leader alone.
      await leader!.evaluate('api.skewMs += 61_000');
      expect(await heldBy(shown!)).toBe('this_page');
    },
    { timeout: 60_000, interval: 1_000 },
  );
  expect(await heldBy(leader!)).toBe('elsewhere');
  await publish(running, sent);
  await expectAll(tabs, sent);
  await oneConnection(running);
});

/** Notes what the browser itself, and no script, says to the page. */
const noting =
  'globalThis.said = []; for (const type of ["freeze", "resume"]) document.addEventListener(type, ({ isTrusted }) => { if (isTrusted) said.push(type); })';

describe('a tab that the browser freezes', () => {
  test.each([
    ['while it leads', 'elected', 0],
    ['while another one leads', 'elected', 1],
    ['while a worker leads', 'worker', 0],
  ])(
    '%s: the others hear everything at once, it catches up when it is shown',
    async (_when, mode, which) => {
      await using running = await startTokenApp({ files });
      await using window = await openWindow();
      const tabs = await openTabs(window, running, mode);
      const frozen = tabs[which]!;
      const others = tabs.filter((tab) => tab !== frozen);
      const sent: unknown[] = [];
      await publish(running, sent);
      await expectAll(tabs, sent);
      await frozen.evaluate(noting);
      await frozen.freeze();
      await publish(running, sent, 20);
      await expectAll(others, sent);
      await oneConnection(running);
      expect(await frozen.evaluate('said')).toEqual(['freeze']);
      expect(await receivedBy(frozen)).toEqual(sent.slice(0, 5));
      await show(frozen, tabs);
      await expectAll(tabs, sent);
      expect(await frozen.evaluate('said')).toEqual(['freeze', 'resume']);
      await publish(running, sent);
      await expectAll(tabs, sent);
      await oneConnection(running);
    },
  );
});
