/** Why the server could not start, and what to do about it; written for the person at the terminal. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code:
    | 'port_in_use'
    | 'port_forbidden'
    | 'address_unavailable'
    | 'bad_certificate'
    | 'event_journal'
    | 'log_file'
    | 'pid_file'
    | 'store'
    | 'inbox'
    | 'tasks';

  constructor(code: StartError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
