/** A token option that cannot work. Never holds the value of a secret. */
export class TokenOptionError extends Error {
  override readonly name = 'TokenOptionError';
  /** Name of the option, in camel case (`hmacSecretKey`, `jwks.timeoutMs`). */
  readonly option: string;
  /** What is wrong with it, to follow the option's name. */
  readonly problem: string;

  constructor(option: string, problem: string, options?: ErrorOptions) {
    super(`${option}: ${problem}`, options);
    this.option = option;
    this.problem = problem;
  }
}
