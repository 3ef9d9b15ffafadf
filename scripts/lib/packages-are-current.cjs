// Exits with 0 where node_modules holds what package-lock.json says. Runs before any package is there, so: plain Node.
//
// npm writes node_modules/.package-lock.json as the last act of an installation; packages for other systems are not
// in it. An interrupted installation leaves the old one, or none.
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

const project = path.resolve(__dirname, '..', '..');
const packagesOf = (file) => JSON.parse(readFileSync(path.join(project, file), 'utf8')).packages;

function isCurrent() {
  // links in .bin come after the packages
  if (!existsSync(path.join(project, 'node_modules', '.bin', 'terraform'))) return false;
  const wanted = packagesOf('package-lock.json');
  const { '': _, ...installed } = packagesOf('node_modules/.package-lock.json');
  if (Object.keys(installed).some((name) => !(name in wanted))) return false;
  return Object.entries(wanted).every(([name, entry]) =>
    name in installed
      ? JSON.stringify(entry) === JSON.stringify(installed[name])
      : name === '' || entry.optional === true,
  );
}

try {
  process.exit(isCurrent() ? 0 : 1);
} catch {
  // no node_modules, or not one of npm
  process.exit(1);
}
