import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import {
  connect as connectTls,
  type ConnectionOptions,
  type DetailedPeerCertificate,
} from 'node:tls';
import type { DoctorTarget } from './doctor-target.ts';
import { pass, skip, type Finding } from './finding.ts';
import { printable } from './judge-handshake.ts';

/** Whether the name has addresses. @throws the error of the resolver */
export async function probeDns({ hostname }: DoctorTarget): Promise<Finding> {
  if (isIP(hostname) !== 0) return skip(`${hostname} is an address`);
  const addresses = await lookup(hostname, { all: true });
  return pass(addresses.map(({ address }) => address).join(', '));
}

/** Whether the port takes connections. @throws the error of the network */
export async function probeTcp(
  { hostname, port }: DoctorTarget,
  timeoutMs: number,
): Promise<Finding> {
  const started = performance.now();
  const socket = connect({ host: hostname, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) }).catch(timedOut);
    return pass(`connected in ${(performance.now() - started).toFixed(1)} ms`);
  } finally {
    socket.destroy();
  }
}

/** A certificate that ends sooner is warned about. */
const renewalDays = 14;
const dayMs = 86_400_000;

/** Whether TLS works, with HTTP/1.1 inside. @throws the error of the handshake */
export async function probeTls(
  { isSecure, hostname, port }: DoctorTarget,
  timeoutMs: number,
): Promise<Finding> {
  if (!isSecure) return skip('the address is without TLS');
  const options = {
    host: hostname,
    port,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(hostname) === 0 && { servername: hostname }),
  };
  const socket = connectTls(options);
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(timeoutMs) }).catch(timedOut);
    const { valid_to: until, issuer } = socket.getPeerCertificate();
    const days = Math.floor((Date.parse(until) - Date.now()) / dayMs);
    const by = printable(issuer.O ?? issuer.CN);
    const evidence = `${socket.getProtocol()}, certificate of ${by} for ${days} more days`;
    if (days >= renewalDays) return pass(evidence);
    return {
      status: 'warn',
      evidence,
      cause: 'The certificate ends soon.',
      mend: 'Look whether its automatic renewal works.',
    };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /CERT|SIGN/.test(String(error.code)))) {
      throw error;
    }
    error.message += `; ${await describeChain(options, timeoutMs)}`;
    throw error;
  } finally {
    socket.destroy();
  }
}

/** What a server shows that is not to be trusted: nothing is sent to it. */
async function describeChain(options: ConnectionOptions, timeoutMs: number): Promise<string> {
  const socket = connectTls({ ...options, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(timeoutMs) });
    const leaf = socket.getPeerCertificate(true);
    let shown = 1;
    for (
      let one: DetailedPeerCertificate | undefined = leaf;
      one.issuerCertificate !== undefined && one.issuerCertificate !== one;
      one = one.issuerCertificate
    ) {
      shown += 1;
    }
    const by = printable(leaf.issuer.CN ?? leaf.issuer.O);
    const names = printable(leaf.subjectaltname ?? leaf.subject.CN);
    return `a certificate for ${names}, from ${by}, until ${leaf.valid_to}, ${shown} in the chain`;
  } catch {
    return 'the certificate could not be read';
  } finally {
    socket.destroy();
  }
}

function timedOut(error: unknown): never {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
  throw Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });
}
