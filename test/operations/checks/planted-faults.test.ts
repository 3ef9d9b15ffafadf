import { catalogue } from '../../../operations/checks/catalogue';
import { plantedFaults, withoutFault } from '../../e2e/planted-faults';

const ids = catalogue.map(({ id }) => id);

test('every check is turned red by a planted fault, or it says why it cannot be', () => {
  const covered = [...plantedFaults.flatMap(({ red }) => Object.keys(red)), ...Object.keys(withoutFault)];
  expect(ids.filter((id) => !covered.includes(id))).toEqual([]);
});

test('every fault names checks that there are, and has a name of its own', () => {
  const named = plantedFaults.flatMap(({ red, alsoRed }) => Object.keys({ ...red, ...alsoRed }));
  expect([...named, ...Object.keys(withoutFault)].filter((id) => !ids.includes(id))).toEqual([]);
  const names = plantedFaults.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
