import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';

/** Whether an address is the machine's own, which nobody else can reach. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(?:\.\d{1,3}){3}$/.test(address);
}

/** Settings that open the server to strangers, as warnings: they are allowed, but never unnoticed. */
export function warnOfExposure(config: Config, report: Report): void {
  const { client } = config;
  const where = isLoopback(config.http_server.address)
    ? 'on this machine'
    : 'who reaches the server';
  if (client.insecure) {
    report.warning(
      ['client', 'insecure'],
      `Everybody ${where} can connect without a token and do everything. For development only.`,
    );
  }
  if (client.insecure_skip_token_signature_verify) {
    report.warning(
      ['client', 'insecure_skip_token_signature_verify'],
      `Everybody ${where} can make tokens for any user. For tests only.`,
    );
  }
  if (config.http_api.insecure) {
    report.warning(
      ['http_api', 'insecure'],
      `Everybody ${where} can use the API without a key: publish, read and disconnect at will.`,
    );
  }
  if (config.admin.enabled && config.admin.insecure) {
    report.warning(['admin', 'insecure'], `Everybody ${where} is an admin.`);
  }
  if (client.allowed_origins.includes('*')) {
    report.warning(
      ['client', 'allowed_origins'],
      'Pages of every web site may connect; with cookies or a user header for sign-in, as their visitors.',
    );
  }
}
