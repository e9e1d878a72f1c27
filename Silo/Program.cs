using Carina.Silo.Hosting;

await CarinaSilo.Build(args).RunAsync();
