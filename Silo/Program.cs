// Composition root of the process on every node; filled as the rooms grow.
var app = WebApplication.CreateSlimBuilder(args).Build();
await app.RunAsync().ConfigureAwait(false);
