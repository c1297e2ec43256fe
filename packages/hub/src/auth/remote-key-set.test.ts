import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LabelledCounter } from '../metrics.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { RecordedLogger } from '../testing/recorded-logger.ts';
import { KeySetCache } from './key-set-cache.ts';
import { RemoteKeySet } from './remote-key-set.ts';
import { ThrottledLog } from './throttled-log.ts';

const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const options = { cacheTtlMs: 60_000, maxStaleMs: 600_000, cooldownMs: 5_000 };

function documentOf(...kids: readonly string[]): string {
  return JSON.stringify({ keys: kids.map((kid) => Object.assign({}, jwk, { kid })) });
}

/** A key set whose endpoint answers what the test says, one read at a time. */
function createScene() {
  const clock = new ManualClock();
  const logger = new RecordedLogger();
  const reads = new LabelledCounter();
  const scene = {
    clock,
    logger,
    reads,
    answer: documentOf('a') as string | Error | Promise<string>,
    readCount: 0,
  };
  const ports = {
    options,
    clock,
    reads,
    log: new ThrottledLog(logger, { clock }),
    fetch: async () => {
      scene.readCount += 1;
      if (scene.answer instanceof Error) throw scene.answer;
      return scene.answer;
    },
  };
  const target = { url: new URL('https://id.example/jwks?key=private'), isHostTemplated: false };
  return { ...scene, scene, ports, set: new RemoteKeySet(target, ports) };
}

async function findIn(set: RemoteKeySet, kid: string): Promise<string> {
  const found = await set.find(kid);
  return typeof found === 'string' ? found : 'found';
}

describe('a remote key set', () => {
  test('is read when it is first needed, and again when it is no longer fresh', async () => {
    const { set, scene, clock } = createScene();
    expect(scene.readCount).toBe(0);
    expect(await findIn(set, 'a')).toBe('found');
    clock.advance(59_999);
    expect(await findIn(set, 'a')).toBe('found');
    expect(scene.readCount).toBe(1);
    clock.advance(1);
    expect(await findIn(set, 'a')).toBe('found');
    expect(scene.readCount).toBe(2);
  });

  test('no longer has a key that was withdrawn', async () => {
    const { set, scene, clock } = createScene();
    await set.find('a');
    scene.answer = documentOf('b');
    clock.advance(60_000);
    expect(await findIn(set, 'a')).toBe('unknown');
  });

  test('is read again for a kid that it lacks, so that new keys work at once', async () => {
    const { set, scene, clock } = createScene();
    await set.find('a');
    scene.answer = documentOf('a', 'b');
    clock.advance(5_000);
    expect(await findIn(set, 'b')).toBe('found');
    expect(scene.readCount).toBe(2);
  });

  test('is read for unknown kids no more often than its cooldown allows', async () => {
    const { set, scene, clock } = createScene();
    expect(await findIn(set, 'x')).toBe('unknown');
    clock.advance(1);
    for (let count = 0; count < 1000; count += 1) {
      // Not known to be wrong: it may have been published in this moment.
      expect(await findIn(set, `x${count}`)).toBe('unavailable');
      expect(await findIn(set, 'a')).toBe('found');
    }
    expect(scene.readCount).toBe(1);
    clock.advance(5_000);
    expect(await findIn(set, 'x')).toBe('unknown');
    expect(scene.readCount).toBe(2);
  });

  test('is read once for all that ask at the same time', async () => {
    const { set, scene } = createScene();
    const gate = Promise.withResolvers<string>();
    scene.answer = gate.promise;
    const asked = Array.from({ length: 100 }, () => findIn(set, 'a'));
    gate.resolve(documentOf('a'));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['found']));
    expect(scene.readCount).toBe(1);
  });

  test('cannot say that a kid is unknown from a read that began before it was asked', async () => {
    const { set, scene, clock } = createScene();
    const gate = Promise.withResolvers<string>();
    scene.answer = gate.promise;
    const first = findIn(set, 'x');
    clock.advance(1);
    const second = findIn(set, 'x');
    gate.resolve(documentOf('a'));
    expect(await Promise.all([first, second])).toEqual(['unknown', 'unavailable']);
  });

  test('is used on when it cannot be read again, and after the first failure without waiting', async () => {
    const { set, scene, clock, reads } = createScene();
    await set.find('a');
    scene.answer = new Error('connection refused');
    clock.advance(60_000);
    expect(await findIn(set, 'a')).toBe('found');
    expect(set.failure).toBe('connection refused');

    clock.advance(5_000);
    const never = Promise.withResolvers<string>();
    scene.answer = never.promise;
    expect(await findIn(set, 'a')).toBe('found');
    expect(scene.readCount).toBe(3);
    never.resolve(documentOf('a'));
    await expect.poll(() => set.failure).toBeUndefined();
    expect(Object.fromEntries(reads.counts)).toEqual({ ok: 2, error: 1 });
  });

  test('is not used beyond its last day', async () => {
    const { set, scene, clock } = createScene();
    await set.find('a');
    scene.answer = new Error('down');
    clock.advance(599_999);
    expect(await findIn(set, 'a')).toBe('found');
    clock.advance(5_000);
    expect(await findIn(set, 'a')).toBe('unavailable');
    scene.answer = documentOf('a');
    clock.advance(5_000);
    expect(await findIn(set, 'a')).toBe('found');
  });

  test.each(['<html>', '{"keys":[]}', '{}'])(
    'is not replaced by an answer that is none: %s',
    async (answer) => {
      const { set, scene, clock } = createScene();
      await set.find('a');
      scene.answer = answer;
      clock.advance(60_000);
      expect(await findIn(set, 'a')).toBe('found');
      expect(set.failure).toBeDefined();
    },
  );

  test('is unavailable, and not asked for more often, while its endpoint is down', async () => {
    const { set, scene, clock } = createScene();
    scene.answer = new Error('connection refused');
    for (let count = 0; count < 100; count += 1) {
      expect(await findIn(set, 'a')).toBe('unavailable');
    }
    expect(scene.readCount).toBe(1);
    scene.answer = documentOf('a');
    clock.advance(5_000);
    expect(await findIn(set, 'a')).toBe('found');
  });

  test('tells the operator what failed and what to do, now and then', async () => {
    const { set, scene, clock, logger } = createScene();
    scene.answer = new Error('connection refused');
    for (let count = 0; count < 20; count += 1) {
      await set.find('a');
      clock.advance(5_000);
    }
    expect(logger.lines).toHaveLength(4);
    expect(logger.lines[0]).toMatchObject({
      level: 'warn',
      fields: { endpoint: 'https://id.example/jwks', problem: 'connection refused' },
      message: expect.stringMatching(/connection refused.*error 100.*curl -v/),
    });
    expect(logger.text).not.toContain('private');
  });
});

describe('the cache of key sets', () => {
  function targetOf(name: string) {
    return { url: new URL(`https://id.example/${name}`), isHostTemplated: false };
  }

  test('has one set per URL', () => {
    const { ports } = createScene();
    const cache = new KeySetCache(ports, 10);
    expect(cache.at(targetOf('a'))).toBe(cache.at(targetOf('a')));
    expect(cache.at(targetOf('a'))).not.toBe(cache.at(targetOf('b')));
  });

  test('is bounded, and made-up URLs do not push out sets that work', async () => {
    const { ports, scene } = createScene();
    const cache = new KeySetCache(ports, 10);
    const real = cache.at(targetOf('real'));
    await real.find('a');
    scene.answer = new Error('404');
    for (let count = 0; count < 100; count += 1) await cache.at(targetOf(`fake${count}`)).find('a');
    expect(cache.size).toBe(10);
    expect(cache.at(targetOf('real'))).toBe(real);
  });

  test('gives up the least recently used of the sets that work', async () => {
    const { ports } = createScene();
    const cache = new KeySetCache(ports, 2);
    const first = cache.at(targetOf('first'));
    const second = cache.at(targetOf('second'));
    await Promise.all([first.find('a'), second.find('a')]);
    cache.at(targetOf('first'));
    cache.at(targetOf('third'));
    expect(cache.at(targetOf('first'))).toBe(first);
    expect(cache.at(targetOf('second'))).not.toBe(second);
  });
});
