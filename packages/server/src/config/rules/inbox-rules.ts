import { webhookKey } from '@holdfast/http';
import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';
import { endpointFault } from './proxy-rules.ts';
import { webhookKeyFault } from './webhook-key.ts';

/** Names of categories, as requests may have them. */
const categoryName = /^(?:\*|[a-z0-9][a-z0-9._-]{0,63})$/;

/** Of a secret that is text, and of the key behind `whsec_`, which is all random. */
const webhookSecretBytes = 32;
const webhookKeyBytes = 24;

/** Combinations of `inbox` that cannot work. */
export function checkInbox({ store, inbox }: Config, report: Report): void {
  if (!store.enabled || !inbox.enabled) return;
  checkCategories(inbox, report);
  const { webhook, email, min_delay: min, max_delay: max } = inbox.escalation;
  if (min.ms > max.ms) {
    report.problem(['inbox', 'escalation', 'min_delay'], {
      problem: `is ${min.toString()}, longer than max_delay (${max.toString()})`,
      reason: 'the time between attempts grows from the one to the other',
      remedy: 'Make it shorter than max_delay.',
    });
  }
  checkWebhook(webhook, report);
  checkEmail(email, report);
}

function checkCategories(inbox: Config['inbox'], report: Report): void {
  const { webhook, email } = inbox.escalation;
  const seen = new Set<string>();
  inbox.categories.forEach((category, index) => {
    const path: OptionPath = ['inbox', 'categories', index];
    if (!categoryName.test(category.name)) {
      report.problem([...path, 'name'], {
        problem: category.name === '' ? 'is missing' : `is ${JSON.stringify(category.name)}`,
        reason:
          'a category has a name of up to 64 lower-case letters, digits, ".", "_" and "-", or is "*"',
        remedy: 'Choose another name.',
      });
    } else if (seen.has(category.name)) {
      report.problem([...path, 'name'], {
        problem: `is ${JSON.stringify(category.name)} a second time`,
        reason: 'it would be unclear which of the entries is meant',
        remedy: 'Merge the entries or rename one of them.',
      });
    }
    seen.add(category.name);
    const targets = [
      ['webhook', category.webhook && webhook.endpoint === '', 'webhook.endpoint'],
      ['email', category.email && email.url.isEmpty, 'email.url'],
    ] as const;
    for (const [option, isMissing, target] of targets) {
      if (!isMissing) continue;
      report.problem([...path, option], {
        problem: `is on, but inbox.escalation.${target} is not set`,
        reason: 'there is nowhere to carry notifications to',
        remedy: `Set inbox.escalation.${target}, or turn this off.`,
      });
    }
  });
}

function checkWebhook(
  { endpoint, secret }: Config['inbox']['escalation']['webhook'],
  report: Report,
): void {
  if (endpoint === '') return;
  const path = ['inbox', 'escalation', 'webhook'] as const;
  const url = URL.parse(endpoint);
  const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(url?.hostname ?? '');
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && isLocal)) {
    report.problem([...path, 'endpoint'], {
      problem: 'is not an https:// URL, nor an http:// URL of this machine',
      reason: 'what notifications say would travel in the open',
      remedy: 'Write the whole URL of the receiver, beginning with https://',
    });
  }
  if (url !== null && url.username + url.password !== '') {
    report.problem([...path, 'endpoint'], {
      problem: 'has a user or password in it',
      reason: 'addresses are shown in logs and reports, and the signature says who sends',
      remedy: 'Leave out what stands before the @, and let the receiver check the signature.',
    });
  }
  const text = secret.reveal();
  const wrongKey = webhookKeyFault(text);
  const least = text.startsWith('whsec_') ? webhookKeyBytes : webhookSecretBytes;
  if (wrongKey !== undefined) {
    report.problem([...path, 'secret'], wrongKey);
  } else if (webhookKey(text).length < least) {
    report.problem([...path, 'secret'], {
      problem: secret.isEmpty ? 'is missing' : 'is too short',
      reason: `the receiver tells real notifications from forged ones by a signature with a key of ${least} bytes or more`,
      remedy: 'Make one with: echo "whsec_$(openssl rand -base64 32)"',
    });
  }
}

function checkEmail(email: Config['inbox']['escalation']['email'], report: Report): void {
  if (email.url.isEmpty) return;
  const path = ['inbox', 'escalation', 'email'] as const;
  if (!/^smtps?:$/.test(URL.parse(email.url.reveal())?.protocol ?? '')) {
    report.problem([...path, 'url'], {
      problem: 'is not an smtp:// or smtps:// URL',
      reason: 'the mail server could not be reached',
      remedy: 'Write smtps://user:password@host:465; special characters in the password as %XX.',
    });
  }
  if (!/@/.test(email.from)) {
    report.problem([...path, 'from'], {
      problem: email.from === '' ? 'is missing' : 'has no address in it',
      reason: 'mail servers refuse mail without a sender',
      remedy: 'Set it, such as "Shop <no-reply@example.com>".',
    });
  }
  if (email.address_endpoint !== '') {
    const fault = endpointFault(email.address_endpoint);
    if (fault !== undefined) report.problem([...path, 'address_endpoint'], fault);
  } else if (!email.to.includes('{user}')) {
    report.problem([...path, 'to'], {
      problem: 'has no {user} in it',
      reason: 'the notifications of all users would go to one address',
      remedy: 'Write {user}, or {user}@example.com, or set address_endpoint.',
    });
  }
  if (email.link_base !== '' && !/^https?:$/.test(URL.parse(email.link_base)?.protocol ?? '')) {
    report.problem([...path, 'link_base'], {
      problem: `is ${JSON.stringify(email.link_base)}`,
      reason: 'links of notifications are put behind it',
      remedy: 'Write the whole address of the application, such as https://app.example.com',
    });
  }
}
