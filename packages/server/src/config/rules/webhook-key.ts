const base64Key = /^whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Why a secret is no key of signatures, for a report. */
export function webhookKeyFault(
  secret: string,
): { readonly problem: string; readonly reason: string; readonly remedy: string } | undefined {
  if (!secret.startsWith('whsec_') || base64Key.test(secret)) return undefined;
  return {
    problem: 'begins with whsec_, but no base64 follows',
    reason: 'what follows that prefix is the key in base64 (Standard Webhooks)',
    remedy: 'Correct it, or use a secret without the prefix.',
  };
}
