import type { Origin } from './origin.ts';

/** One thing that keeps a configuration from working. Never holds a secret. */
export interface ConfigProblem {
  /** The option, such as `channel.namespaces[chat].history_ttl`; or a file. */
  readonly key: string;
  /** What is wrong with it, to follow the key: `is "8s"`. */
  readonly problem: string;
  /** Why that cannot work, one sentence. */
  readonly reason: string;
  /** What to do, one sentence. */
  readonly remedy: string;
  /** Where the value was set. */
  readonly origin?: Origin;
}

/** Something that does not stop the server but that its operator should know. Never holds a secret. */
export interface ConfigWarning {
  readonly key: string;
  /** One sentence or two: what is the matter, what to do. */
  readonly message: string;
  readonly origin?: Origin;
}
