import { expect, test } from 'vitest';
import { TabQuestions } from './tab-questions.ts';

test('a tab that goes away without an answer leaves the question to the next at once', async () => {
  const asked: string[] = [];
  const questions = new TabQuestions((tab, id) => {
    asked.push(tab);
    if (tab === 'second') questions.answer(id, 'a token');
  });
  const answer = questions.ask({}, ['first', 'second', 'third']);
  questions.giveUpOn('third');
  expect(asked).toEqual(['first']);
  questions.giveUpOn('first');
  expect(await answer).toBe('a token');
  expect(asked).toEqual(['first', 'second']);
});

test('when no tab has an answer, that is an error', async () => {
  const questions = new TabQuestions((_, id) => questions.answer(id, undefined));
  await expect(questions.ask({ channel: 'poll', keys: ['a'] }, ['only'])).rejects.toThrow(
    'no tab could give a signature',
  );
});
