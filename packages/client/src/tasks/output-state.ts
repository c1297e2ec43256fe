import type { OutputChunk, TaskEvent } from '@holdfast/protocol/tasks';

/** What is held of a task's output. */
export interface OutputState {
  readonly id: string;
  /** In order, without a gap: the newest that there is room for. */
  readonly chunks: readonly OutputChunk[];
  /** Number of the last chunk that was read. */
  readonly seq: number;
  /** Characters of `chunks`. */
  readonly size: number;
  /** Chunks that were let go here, the oldest, because there was no room. */
  readonly dropped: number;
  /** Chunks that the server refused, because the stream was full. */
  readonly refused: number;
  /** No more can come. */
  readonly isOver: boolean;
}

/** Chunks that are held at most, however short they are. */
const maxChunks = 20_000;

export function noOutput(id: string, seq: number): OutputState {
  return { id, chunks: [], seq, size: 0, dropped: 0, refused: 0, isOver: false };
}

/** Adds what is new of `chunks`; undefined when something before them is missing. */
export function withChunks(
  state: OutputState,
  chunks: readonly OutputChunk[],
  maxSize: number,
): OutputState | undefined {
  const fresh = chunks.filter(({ seq }) => seq > state.seq);
  const [first] = fresh;
  if (first === undefined) return state;
  if (first.seq !== state.seq + 1) return undefined;
  const all = [...state.chunks, ...fresh];
  let size = state.size + fresh.reduce((sum, { data }) => sum + data.length, 0);
  let gone = 0;
  while (all.length - gone > 1 && (size > maxSize || all.length - gone > maxChunks)) {
    size -= all[gone]?.data.length ?? 0;
    gone += 1;
  }
  return {
    ...state,
    chunks: gone === 0 ? all : all.slice(gone),
    seq: all.at(-1)?.seq ?? state.seq,
    size,
    dropped: state.dropped + gone,
  };
}

/** Undefined when chunks are missing between what is held and the event. */
export function appliedToOutput(
  state: OutputState,
  event: TaskEvent,
  maxSize: number,
): OutputState | undefined {
  if (event.type === 'deleted') return event.id === state.id ? { ...state, isOver: true } : state;
  if (event.type === 'output') {
    return event.id === state.id ? withChunks(state, event.chunks, maxSize) : state;
  }
  const { id, isOver, output } = event.task;
  if (id !== state.id) return state;
  if (output.seq > state.seq) return undefined;
  const { refused } = output;
  if (isOver === state.isOver && refused === state.refused) return state;
  // An event that was under way while newer output was read tells nothing new.
  if (output.seq < state.seq || state.isOver) return state;
  return { ...state, isOver, refused };
}
