import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileHash, fileText, interruptedRuns, renewalGeneration, treeHash } from '../../constructs/expressions';
import { useTemporaryFolder } from '../helpers/temporary-folder';
import { planned, terraformIsThere } from '../helpers/terraform';

describe('as text', () => {
  test('fileHash looks at the file when the plan is made', () => {
    expect(fileHash('/s/a.crt')).toBe('${fileexists("/s/a.crt") ? filesha256("/s/a.crt") : "absent"}');
  });

  test('renewalGeneration asks the clock of the plan', () => {
    expect(renewalGeneration('/s/note.json')).toBe(
      '${fileexists("/s/note.json") ? tostring(jsondecode(file("/s/note.json")).generation + ' +
        '(timecmp(plantimestamp(), jsondecode(file("/s/note.json")).renewAfter) >= 0 ? 1 : 0)) : "1"}',
    );
  });
});

(terraformIsThere ? describe : describe.skip)('in a real plan', () => {
  const folder = useTemporaryFolder();

  test('mean what their tables say', () => {
    // GIVEN
    const file = (name: string, content: string): string => {
      writeFileSync(path.join(folder(), name), content);
      return path.join(folder(), name);
    };
    const note = (generation: number, days: number): string =>
      file(
        `note-${generation}-${days}.json`,
        JSON.stringify({ generation, renewAfter: new Date(Date.now() + days * 86_400_000).toISOString() }),
      );

    const tree = path.join(folder(), 'tree');
    mkdirSync(tree);
    for (const name of ['b.crt', 'a.pem']) writeFileSync(path.join(tree, name), name);

    // WHEN
    const values = planned(folder(), {
      hash: fileHash(file('a "quoted" name', 'content')),
      hashOfBytes: fileHash(file('binary', '\u0000\u00ff')),
      hashOfNothing: fileHash(path.join(folder(), 'none')),
      treeOfFile: treeHash(file('one', 'content')),
      treeOfFolder: treeHash(tree),
      treeOfNothing: treeHash(path.join(folder(), 'none')),
      text: fileText(file('text', 'as it is')),
      textOfNothing: fileText(path.join(folder(), 'none')),
      first: renewalGeneration(path.join(folder(), 'none')),
      notDue: renewalGeneration(note(3, 1)),
      due: renewalGeneration(note(3, -1)),
      longDue: renewalGeneration(note(41, -400)),
      complete: renewalGeneration(note(5, 1), [file('a.crt', ''), file('a.key', '')]),
      incomplete: renewalGeneration(note(6, 1), [file('b.crt', ''), path.join(folder(), 'none')]),
      incompleteAndDue: renewalGeneration(note(7, -1), [path.join(folder(), 'none')]),
      incompleteFromTheFirst: renewalGeneration(path.join(folder(), 'none'), [path.join(folder(), 'none')]),
      neverInterrupted: interruptedRuns(path.join(folder(), 'none')),
      interruptedBefore: interruptedRuns(file('counted', '2\n')),
      interruptedAtFirst: interruptedRuns(file('new.running', '').replace('.running', '')),
      interruptedAgain: interruptedRuns(file('again.running', '') && file('again', '2\n')),
    });

    // THEN
    const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
    expect(values).toEqual({
      hash: sha256('content'),
      hashOfBytes: sha256('\u0000\u00ff'),
      hashOfNothing: 'absent',
      treeOfFile: sha256('content'),
      treeOfFolder: sha256(`a.pem ${sha256('a.pem')} b.crt ${sha256('b.crt')}`),
      treeOfNothing: sha256(''),
      text: 'as it is',
      textOfNothing: '',
      first: '1',
      notDue: '3',
      due: '4',
      longDue: '42',
      complete: '5',
      incomplete: '7',
      incompleteAndDue: '8',
      incompleteFromTheFirst: '1',
      neverInterrupted: '0',
      interruptedBefore: '2',
      interruptedAtFirst: '1',
      interruptedAgain: '3',
    });
  });
});
