/** A request that is refused before the feature behind the interface is asked. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly status: number;
  readonly code: string;
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    answer: {
      readonly status: number;
      readonly code: string;
      /** @defaultValue false */
      readonly retryable?: boolean;
      readonly headers?: Readonly<Record<string, string>>;
    },
    message: string,
  ) {
    super(message);
    this.status = answer.status;
    this.code = answer.code;
    this.retryable = answer.retryable ?? false;
    this.headers = answer.headers ?? {};
  }
}

/** What was sent does not have the shape it must have. Answered with 400 and the interface's own code. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest';
}
