/**
 * Writes how many tests came out how, and which were skipped, where EBS_TEST_COUNTS says. `jest --json` writes the errors of
 * failed tests as well, and writes nothing when one of them refers to itself, as those of Docker's client do.
 */
const { writeFileSync } = require('node:fs');

module.exports = class CountsReporter {
  onRunComplete(_, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites } = results;
    const skipped = results.testResults.flatMap((file) =>
      file.testResults.flatMap(({ fullName, status }) => (status === 'pending' ? [fullName] : [])),
    );
    const counts = {
      passed: numPassedTests,
      // files that could not even be loaded have no tests
      failed: numFailedTests + numRuntimeErrorTestSuites,
      skipped: numPendingTests + numTodoTests,
      skippedNames: skipped,
    };
    writeFileSync(process.env.EBS_TEST_COUNTS, JSON.stringify(counts));
  }
};
