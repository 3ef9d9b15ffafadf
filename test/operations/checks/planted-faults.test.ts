import { catalogue } from '../../../operations/checks/catalogue';
import { plantedFaults, plantings, withoutFault } from '../../e2e/planted-faults';
import type { PlantedFault } from '../../e2e/planted-faults/planted-fault';

const ids = catalogue.map(({ id }) => id);
const checksOf = ({ red, alsoRed }: PlantedFault): string[] => Object.keys({ ...red, ...alsoRed });

test('every check is turned red by a planted fault, or it says why it cannot be', () => {
  const covered = [...plantedFaults.flatMap(({ red }) => Object.keys(red)), ...Object.keys(withoutFault)];
  expect(ids.filter((id) => !covered.includes(id))).toEqual([]);
});

test('every fault names checks that there are, and has a name of its own', () => {
  const named = plantedFaults.flatMap(checksOf);
  expect([...named, ...Object.keys(withoutFault)].filter((id) => !ids.includes(id))).toEqual([]);
  const names = plantedFaults.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test('every fault is planted once', () => {
  const names = (faults: readonly PlantedFault[]): string[] => faults.map(({ name }) => name).sort();
  expect(names(plantings.flat())).toEqual(names(plantedFaults));
});

test.each(plantings.filter(({ length }) => length > 1).map((faults) => [faults] as const))(
  'no check is turned red by two of the faults that are planted together %#',
  (faults) => {
    const checks = faults.flatMap(checksOf);
    expect(checks.filter((id, index) => checks.indexOf(id) !== index)).toEqual([]);
  },
);
