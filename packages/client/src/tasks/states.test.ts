import type { OutputChunk, TaskView } from '@holdfast/protocol/tasks';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { appliedToOutput, noOutput, type OutputState, withChunks } from './output-state.ts';
import { appliedToList, type TaskListState, withTasks } from './task-list-state.ts';
import { taskAt } from './task.ts';

const base: Omit<TaskView, 'id' | 'version' | 'isOver'> = {
  kind: 'report',
  owner: 'eve',
  status: 'running',
  reason: null,
  since: 0,
  attempt: 1,
  maxAttempts: 3,
  progress: 0,
  message: null,
  steps: null,
  remainingMs: null,
  error: null,
  children: { total: 0, open: 0, failed: 0, partial: 0 },
  output: { seq: 0, bytes: 0, refused: 0 },
  isCancelRequested: false,
  createdAt: 0,
  availableAt: 0,
  startedAt: null,
  endedAt: null,
  schedule: null,
  source: null,
  now: 0,
  expiresAt: null,
};

/** What the server has of each task, as versions in their order; the last may be the end. */
const histories = fc.array(
  fc.record({ versions: fc.integer({ min: 1, max: 5 }), isOver: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
);

test('a list ends with the newest of each, whatever events are repeated or late, and whatever page was read when', () => {
  fc.assert(
    fc.property(
      histories,
      fc.infiniteStream(fc.nat()),
      fc.constantFrom(undefined, 'live' as const, 'over' as const),
      (tasks, choices, phase) => {
        const choose = (most: number): number => (choices.next().value ?? 0) % (most + 1);
        const viewOf = (index: number, version: number): TaskView => {
          const { versions, isOver } = tasks[index] ?? { versions: 1, isOver: false };
          return { ...base, id: `t${index}`, version, isOver: isOver && version === versions };
        };
        const isListed = ({ isOver }: TaskView): boolean =>
          phase === undefined || (phase === 'over') === isOver;
        let state: TaskListState = {
          filter: phase === undefined ? {} : { phase },
          items: [],
          nextCursor: null,
        };
        const now = tasks.map(() => 0);
        // Each step a task goes on; older events may come again, and a page may be joined.
        while (now.some((version, index) => version < (tasks[index]?.versions ?? 0))) {
          const index = choose(tasks.length - 1);
          const version = Math.min((now[index] ?? 0) + 1, tasks[index]?.versions ?? 1);
          now[index] = version;
          const event = { type: 'task', changes: [], task: viewOf(index, version) } as const;
          state = appliedToList(state, event);
          if (choose(2) === 0) {
            const old = { ...event, task: viewOf(index, 1 + choose(version - 1)) };
            const isKnown = state.items.some(({ id }) => id === old.task.id);
            if (isKnown) state = appliedToList(state, old);
          }
          if (choose(4) === 0) {
            const items = now
              .flatMap((at, one) => (at === 0 ? [] : [viewOf(one, at)]))
              .filter(isListed)
              .toReversed();
            state = withTasks(state, { items, nextCursor: null }, []);
          }
        }
        const expected = tasks
          .map(({ versions }, index) => viewOf(index, versions))
          .filter(isListed)
          .toReversed();
        expect(state.items.map(({ id, version }) => [id, version])).toEqual(
          expected.map(({ id, version }) => [id, version]),
        );
      },
    ),
  );
});

test('output is what the server has, without a gap and nothing twice, or its newest part', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 6 }), { maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 30 }),
      fc.integer({ min: 1, max: 60 }),
      (data, slices, maxSize) => {
        const stream: OutputChunk[] = data.map((text, index) => ({
          seq: index + 1,
          attempt: 1,
          type: 'log',
          data: text,
          at: 0,
        }));
        let state: OutputState = noOutput('7', 0);
        for (const [from, length] of slices) {
          const chunks = stream.slice(from, from + length);
          const next = appliedToOutput(state, { type: 'output', id: '7', chunks }, maxSize);
          const isGap = (chunks[0]?.seq ?? 0) > state.seq + 1;
          expect(next === undefined).toBe(isGap);
          // What is missing is read from the server.
          state = next ?? withChunks(state, stream.slice(state.seq), maxSize) ?? state;
          const { seq, chunks: held, dropped, size } = state;
          expect(held).toEqual(stream.slice(dropped, seq));
          expect(size).toBe(held.reduce((sum, chunk) => sum + chunk.data.length, 0));
          expect(size <= maxSize || held.length === 1).toBe(true);
        }
      },
    ),
  );
});

test('a view is the same object until its time is over', () => {
  const view: TaskView = { ...base, id: '7', version: 1, isOver: false, expiresAt: 100 };
  expect(taskAt(view, 99)).toBe(taskAt(view, 0));
  expect(taskAt(view, 99)).toMatchObject({ status: 'running', isOverdue: false });
  expect(taskAt(view, 100)).toBe(taskAt(view, 200));
  expect(taskAt(view, 100)).toMatchObject({ status: 'lost', reason: 'no_news', isOverdue: true });
  const waiting: TaskView = { ...view, status: 'queued' };
  expect(taskAt(waiting, 100)).toMatchObject({ status: 'queued', isOverdue: true });
  const over: TaskView = { ...view, status: 'completed', isOver: true, expiresAt: null };
  expect(taskAt(over, 1e15)).toMatchObject({ status: 'completed', isOverdue: false });
});
