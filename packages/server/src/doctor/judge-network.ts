import type { Finding } from './finding.ts';
import { printable } from './judge-handshake.ts';

/** Says what an error of the network below HTTP means. */
export function judgeNetworkError(error: unknown): Finding {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  const said = printable(reasonOf(error) ?? message).trim();
  const evidence = code === '' || said.includes(code) ? said : `${code}: ${said}`;
  const [cause, mend] = verdict(code, message);
  return { status: 'fail', evidence, cause, mend };
}

/** What OpenSSL says in words: its messages are places in its source. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !error.message.includes(':SSL routines:')) return undefined;
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : undefined;
}

/** For those who are their own authority: Node reads no other store than its own by default. */
const ownAuthority =
  'If all your clients trust an authority of your own, run the doctor with NODE_EXTRA_CA_CERTS=<its certificate>.';

function verdict(code: string, message: string): readonly [cause: string, mend: string] {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['The name has no address.', 'Check its spelling and the DNS records of the domain.'];
    case 'ECONNREFUSED':
      return [
        'Nothing listens on this port.',
        'Start the server or proxy, and compare the address it listens on with this one.',
      ];
    case 'ECONNRESET':
    case 'EPIPE':
      return [
        'The connection was cut in the middle of the handshake.',
        'Look for exhausted connections at the proxy (worker_connections), and firewalls that inspect traffic.',
      ];
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return [
        'No answer came: a firewall drops the packets, or the route is wrong.',
        'Open the port in firewalls and security groups, and check that the address is the right one.',
      ];
    case 'CERT_HAS_EXPIRED':
      return ['The certificate has expired.', 'Renew it, and make renewal automatic.'];
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return [
        'The certificate is signed by itself.',
        `Use one that browsers trust. ${ownAuthority}`,
      ];
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return [
        'The certificate comes from an authority that is not trusted here.',
        `Use one that browsers trust. ${ownAuthority}`,
      ];
    case 'CERT_NOT_YET_VALID':
      return [
        'The certificate is not valid yet.',
        'Compare the clock of this machine with the time, and the dates of the certificate.',
      ];
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return [
        'The chain of the certificate is incomplete, or of an authority that is not trusted here.',
        `Serve the intermediate certificates along with it (fullchain.pem, not cert.pem). ${ownAuthority}`,
      ];
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return ['The certificate is for another name.', 'Get one for this name.'];
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'EPROTO':
      return ['This port does not speak TLS.', 'Use http:// or ws://, or the port that has TLS.'];
    default:
      return /alert no application protocol/i.test(message)
        ? [
            'The proxy offers no HTTP/1.1 over TLS.',
            'Add http/1.1 to its ALPN list: WebSocket needs it.',
          ]
        : ['The connection failed.', 'Look into the log of the proxy at this time.'];
  }
}
