import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';
import type { Config, ProxyConfig } from '../schema.ts';
import { checkNames } from './names.ts';

/** The name by which namespaces refer to the hooks in `channel.proxy` and `rpc.proxy`. */
const defaultProxyName = 'default';

/** Most bytes of a WebSocket close reason (RFC 6455 §5.5). */
const longestReasonBytes = 123;

type AnyProxy = Omit<ProxyConfig, 'name'>;

/** Hooks that are named, and those on `client.proxy`. */
export function checkProxies(config: Config, report: Report): void {
  const { connect, refresh } = config.client.proxy;
  if (connect.enabled) checkProxy(['client', 'proxy', 'connect'], connect, report);
  if (refresh.enabled) checkProxy(['client', 'proxy', 'refresh'], refresh, report);
  checkNames(
    ['proxies'],
    config.proxies.map(({ name }) => name),
    report,
  );
  config.proxies.forEach((proxy, index) => {
    checkProxy(['proxies', index], proxy, report);
    if (proxy.name === defaultProxyName) {
      report.problem(['proxies', index, 'name'], {
        problem: 'is "default"',
        reason: 'that name stands for the hooks in channel.proxy and rpc.proxy',
        remedy: 'Choose another name.',
      });
    }
  });
}

/** Where a namespace refers to a hook. */
export interface ProxyUse {
  /** Path of the option that turns the hook on, or of the one that names it. */
  readonly path: OptionPath;
  readonly name: string;
  readonly isEnabled: boolean;
  /** What the name `default` stands for here, and where that is configured. */
  readonly fallback: AnyProxy;
  readonly fallbackPath: OptionPath;
}

/** Checks that the hook that a namespace refers to is there. */
export function checkProxyUse(use: ProxyUse, config: Config, report: Report): void {
  if (use.name === defaultProxyName || use.name === '') {
    if (!use.isEnabled || use.fallback.endpoint !== '') {
      if (use.isEnabled) checkProxy(use.fallbackPath, use.fallback, report);
      return;
    }
    report.problem(use.path, {
      problem: `is on, but ${use.fallbackPath.join('.')}.endpoint is not set`,
      reason: 'there is nobody to ask, so every such operation would fail',
      remedy: `Set ${use.fallbackPath.join('.')}.endpoint, or name one of the hooks in proxies.`,
    });
    return;
  }
  if (config.proxies.some(({ name }) => name === use.name)) return;
  report.problem(use.path, {
    problem: `refers to the hook ${JSON.stringify(use.name)}, which is not one of proxies`,
    reason: 'there is nobody to ask, so every such operation would fail',
    remedy: 'Add the hook to proxies, or correct the name.',
  });
}

function checkProxy(path: OptionPath, proxy: AnyProxy, report: Report): void {
  const fault = endpointFault(proxy.endpoint);
  if (fault !== undefined) report.problem([...path, 'endpoint'], fault);
  if (proxy.timeout.ms === 0) {
    report.problem([...path, 'timeout'], {
      problem: 'is 0s',
      reason: 'the backend would have no time to answer',
      remedy: 'Set a time such as "1s".',
    });
  }
  proxy.http.status_to_code_transforms.forEach((transform, index) => {
    checkTransform([...path, 'http', 'status_to_code_transforms', index], transform, report);
  });
}

/** Why a backend cannot be asked at this address, or undefined when it can. */
export function endpointFault(
  endpoint: string,
): { readonly problem: string; readonly reason: string; readonly remedy: string } | undefined {
  if (endpoint === '') {
    return {
      problem: 'is missing',
      reason: 'there is nobody to ask',
      remedy: 'Set the URL of the backend, such as http://127.0.0.1:3000/centrifugo',
    };
  }
  if (endpoint.startsWith('grpc:') || endpoint.startsWith('grpcs:')) {
    return {
      problem: 'is a gRPC address',
      reason: 'backends are asked over HTTP only, and without an answer nobody could be let in',
      remedy: 'Offer the hook over HTTP and set its http:// or https:// URL.',
    };
  }
  if (URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)) return undefined;
  // Not shown: it may hold a password.
  return {
    problem: 'is not an http:// or https:// URL',
    reason: 'the backend could not be asked',
    remedy: 'Write the whole URL, such as http://127.0.0.1:3000/centrifugo',
  };
}

function checkTransform(
  path: OptionPath,
  transform: ProxyConfig['http']['status_to_code_transforms'][number],
  report: Report,
): void {
  const { status_code: status, to_error: error, to_disconnect: disconnect } = transform;
  if (status === 0) {
    report.problem([...path, 'status_code'], {
      problem: 'is missing',
      reason: 'the entry would never apply',
      remedy: 'Set the HTTP status it is for.',
    });
  }
  if ((error.code === 0) === (disconnect.code === 0)) {
    report.problem(path, {
      problem: error.code === 0 ? 'names no answer' : 'names two answers',
      reason: 'a status becomes either an error or a disconnect',
      remedy: 'Set to_error.code or to_disconnect.code, one of the two.',
    });
  }
  const texts = [
    [[...path, 'to_error', 'message'], error.message],
    [[...path, 'to_disconnect', 'reason'], disconnect.reason],
  ] as const;
  for (const [textPath, text] of texts) {
    if (/^\p{ASCII}*$/u.test(text) && text.length <= longestReasonBytes) continue;
    report.problem(textPath, {
      problem: 'is not ASCII, or too long',
      reason: `it has to fit into a WebSocket close frame: ${longestReasonBytes} bytes`,
      remedy: 'Shorten it.',
    });
  }
}
