using Carina.RecordWriter;

if (args is not [var way, var path] || !Enum.TryParse<WritingWay>(way, ignoreCase: true, out var parsed))
{
    await Console.Error.WriteLineAsync("usage: record-writer buffered|direct|mapped PATH");
    return 2;
}

RecordFile.Open(path, parsed).WriteForEver(Console.OpenStandardOutput());
return 0;
