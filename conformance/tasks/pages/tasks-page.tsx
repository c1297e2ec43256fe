import type { ReactNode } from 'react';
import { createClient } from '@holdfast/client';
import { createTaskStore, createUserApi, type TaskStore } from '@holdfast/client/tasks';
import { HoldfastProvider } from '@holdfast/react';
import {
  TaskList,
  TaskProgress,
  TasksProvider,
  useTask,
  useTaskOutput,
} from '@holdfast/react/tasks';
import { mountPage } from '../../mount-page.tsx';

/** What a test asks of the page, through `page.evaluate`. */
interface PageApi {
  readonly tasks: TaskStore;
  /** Every status that was rendered, with its progress and the time. */
  readonly seen: { readonly status: string; readonly progress: number; readonly at: number }[];
  /** Subscribes to a channel by its name; gives what became of it. */
  readonly trySubscribe: (channel: string) => Promise<string>;
}

const scope = globalThis as unknown as {
  api: PageApi;
  location: { search: string };
};
const parameters = new URLSearchParams(scope.location.search);
const user = parameters.get('user') ?? '';
const url = parameters.get('server') ?? '';
const task = parameters.get('task');
const backoff = { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 };
const getToken = async (): Promise<string> => (await fetch(`/token?user=${user}`)).text();

const client = createClient({ url, getToken, backoff, connectTimeoutMs: 2000 });
const api = createUserApi({ url, getToken, timeoutMs: 2000 });
const tasks = createTaskStore({ client, api, backoff, pollMs: 1000 });
const seen: PageApi['seen'] = [];
scope.api = {
  tasks,
  seen,
  trySubscribe: (channel) =>
    new Promise((resolve) => {
      const subscription = client.subscribe(channel);
      subscription.onChange(() => {
        const { status, problem } = subscription.state;
        if (status !== 'subscribing') resolve(`${status} ${problem?.code ?? ''}`);
      });
    }),
};

function Recorder({ id }: { readonly id: string }): ReactNode {
  const { task: shown } = useTask(id);
  const last = seen.at(-1);
  if (
    shown !== undefined &&
    `${last?.status} ${last?.progress}` !== `${shown.status} ${shown.progress}`
  ) {
    seen.push({ status: shown.status, progress: shown.progress, at: Date.now() });
  }
  return null;
}

function Output({ id }: { readonly id: string }): ReactNode {
  const { text, isOver } = useTaskOutput(id);
  return (
    <pre id="output" data-over={isOver}>
      {text}
    </pre>
  );
}

mountPage(
  <HoldfastProvider client={client}>
    <TasksProvider tasks={tasks}>
      <main>
        {task !== null && <TaskProgress id={task} />}
        {task !== null && <Recorder id={task} />}
        {task !== null && parameters.has('output') && <Output id={task} />}
        {parameters.has('list') && <TaskList />}
      </main>
    </TasksProvider>
  </HoldfastProvider>,
);
