import { endOwned, ownedProcesses } from '@holdfast/store/testing/owned-process';
import { beforeEach, onTestFinished } from 'vitest';

// A worker of Vitest goes on when the test run that it belongs to is killed.
process.once('disconnect', () => process.exit());

/**
 * What a test starts ends with it, also when it fails or takes too long. Registered before anything of
 * the test, this runs after its own endings in good order.
 */
beforeEach(({ task }) => {
  // Of tests that run at the same time nobody knows who started what; it ends with their file.
  if (task.concurrent === true) return;
  const before = new Set(ownedProcesses());
  onTestFinished(async () => {
    const left = ownedProcesses().filter((child) => !before.has(child));
    await Promise.all(left.map((child) => endOwned(child)));
  });
});
