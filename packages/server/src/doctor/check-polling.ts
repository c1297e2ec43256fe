import type { Finding } from './finding.ts';
import { judgeCommand, judgeOpening, judgePatience } from './judge-polling.ts';
import { ProbePolling } from './probe-polling.ts';
import type { Visitor } from './visitor.ts';

/** What our clients ask for at first. */
const usualWaitSeconds = 20;

/** Opens a connection made of polls, sends a command beside one, and lets one wait. */
export async function checkPolling(visitor: Visitor, idleSeconds: number): Promise<Finding> {
  const { timeoutMs } = visitor;
  const polling = new ProbePolling(visitor);
  try {
    const { answer, isLetIn } = await polling.open();
    const closedDoor = judgeOpening(answer, { timeoutMs, isLetIn });
    if (closedDoor !== undefined) return closedDoor;
    const command = await polling.command();
    const disturbed = judgeCommand(command);
    if (disturbed !== undefined) return disturbed;
    return judgePatience(await polling.wait(Math.min(idleSeconds, usualWaitSeconds)), command);
  } finally {
    await polling.close();
  }
}
