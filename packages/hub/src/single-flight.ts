/** Makes callers that want the same thing at the same time share one piece of work. */
export class SingleFlight<Value> {
  readonly #running = new Map<string, Promise<Value>>();

  /** Runs `work`, or joins the run for `key` that is under way. */
  run(key: string, work: () => Promise<Value>): Promise<Value> {
    let running = this.#running.get(key);
    if (running === undefined) {
      running = work().finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    return running;
  }
}
