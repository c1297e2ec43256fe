import { TaskError } from './errors.ts';

/** The JSON of `value`. @throws {@link TaskError} `task_bad_request`, `task_too_large` */
export function toJson(
  value: unknown,
  limit: { readonly what: string; readonly maxBytes: number },
): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new TaskError('task_bad_request', `the ${limit.what} cannot be written as JSON`, {
      cause: error,
    });
  }
  if (json === undefined) {
    throw new TaskError('task_bad_request', `the ${limit.what} has no JSON form`);
  }
  const bytes = Buffer.byteLength(json);
  if (bytes > limit.maxBytes) {
    throw new TaskError(
      'task_too_large',
      `the ${limit.what} has ${bytes} of ${limit.maxBytes} bytes`,
    );
  }
  return json;
}
