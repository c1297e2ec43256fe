/** What went wrong between us and a backend, for the person who reads the log. */
export interface NetworkTrouble {
  /** With the system's own code in brackets, to search for. */
  readonly cause: string;
  readonly advice: string;
}

const troubles: Readonly<Record<string, NetworkTrouble>> = {
  ECONNREFUSED: {
    cause: 'nothing accepts connections there',
    advice: 'Start the backend, or correct the endpoint.',
  },
  ENOTFOUND: {
    cause: 'the host name does not exist',
    advice: 'Correct the endpoint, or the DNS of this machine.',
  },
  EAI_AGAIN: {
    cause: 'the host name cannot be resolved right now',
    advice: 'Check the DNS of this machine.',
  },
  ECONNRESET: {
    cause: 'the backend closed the connection before its answer was complete',
    advice: 'Look for a crash or a too short timeout in the backend or in a proxy before it.',
  },
  EPIPE: {
    cause: 'the backend closed the connection while the request was sent',
    advice: 'Look for a crash or a too small body limit in the backend or in a proxy before it.',
  },
  ETIMEDOUT: {
    cause: 'no connection can be made in time',
    advice: 'Check firewalls and routes between this machine and the backend.',
  },
  EHOSTUNREACH: {
    cause: 'there is no route to the host',
    advice: 'Check firewalls and routes between this machine and the backend.',
  },
  ENETUNREACH: {
    cause: 'there is no route to the network',
    advice: 'Check firewalls and routes between this machine and the backend.',
  },
  EMFILE: {
    cause: 'this process has no file descriptors left',
    advice: 'Raise the limit on open files (ulimit -n, LimitNOFILE) of this server.',
  },
  EPROTO: {
    cause: 'no TLS is spoken there',
    advice: 'Use http:// in the endpoint, or the port that speaks TLS.',
  },
};

/** Codes of Node's HTTP parser. */
const notHttp: NetworkTrouble = {
  cause: 'what is answered there is no valid HTTP/1.1',
  advice: 'Use https:// if the port speaks TLS; check that the port is the right one.',
};

const certificate: NetworkTrouble = {
  cause: "the backend's certificate is not accepted",
  advice: 'Renew it, or name the authority that signed it in NODE_EXTRA_CA_CERTS.',
};

/** Says what an error of `node:http` means; its own message may quote headers and is not used. */
export function describeNetworkError(error: Error): NetworkTrouble {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const known = troubles[code] ?? familyOf(code);
  if (known === undefined) {
    return { cause: error.message, advice: 'Check the backend and the way to it.' };
  }
  return { cause: `${known.cause} (${code})`, advice: known.advice };
}

function familyOf(code: string): NetworkTrouble | undefined {
  if (code.startsWith('HPE_')) return notHttp;
  if (code.startsWith('ERR_SSL_')) return troubles.EPROTO;
  return /CERT|SIGNATURE/.test(code) ? certificate : undefined;
}
