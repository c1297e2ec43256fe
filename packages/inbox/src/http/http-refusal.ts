/** A request that is refused before the inbox is asked. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    answer: {
      readonly status: number;
      readonly code: string;
      readonly headers?: Readonly<Record<string, string>>;
    },
    message: string,
  ) {
    super(message);
    this.status = answer.status;
    this.code = answer.code;
    this.headers = answer.headers ?? {};
  }
}
