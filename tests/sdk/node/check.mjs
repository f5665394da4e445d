// Runs checks by name and says of each whether it held.
export async function run(names, check) {
  for (const name of names) {
    try {
      await check(name);
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`FAILED ${name}: ${error.stack}`);
      process.exitCode = 1;
    }
  }
}
