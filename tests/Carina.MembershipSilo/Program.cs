using System.Globalization;
using Carina.MembershipSilo;
using Microsoft.Extensions.Hosting;

if (args is not [var kubeconfig, var @namespace, var cluster, var name, var address, var port])
{
    Console.Error.WriteLine("usage: Carina.MembershipSilo KUBECONFIG NAMESPACE CLUSTER-ID SILO-NAME ADDRESS PORT");
    return 2;
}

await SiloHost.Build(
    new(kubeconfig, @namespace, cluster, name, int.Parse(port, CultureInfo.InvariantCulture)) { Address = address }).RunAsync();
return 0;
