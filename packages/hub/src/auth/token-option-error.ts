/** A token option that cannot work. Never holds the value of a secret. */
export class TokenOptionError extends Error {
  override readonly name = 'TokenOptionError';
  /** Name of the option, in camel case (`hmacSecretKey`, `jwks.timeoutMs`). */
  readonly option: string;

  constructor(option: string, problem: string, options?: ErrorOptions) {
    super(`${option}: ${problem}`, options);
    this.option = option;
  }
}
