-- A database in a file, with a journal: rows in transactions, an index, queries, one transaction taken back.
.bail on
create table item (id integer primary key, name text not null, price real, category integer);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 4000)
    insert into item select i, printf('item-%05d', i), i * 1.25, i % 17 from n;
commit;
begin immediate;
with recursive n(i) as (select 4001 union all select i + 1 from n where i < 10000)
    insert into item select i, printf('item-%05d', i), i * 1.25, i % 17 from n;
commit;
select 'rows', count(*), sum(id), sum(price) from item;
create index by_category on item (category, price);
select 'index', category, count(*), min(price), max(price) from item where category in (0, 5, 16) group by category;
explain query plan select name from item where category = 3 and price > 100;
begin;
delete from item where category < 9;
update item set name = upper(name) where category = 16;
select 'within', count(*), min(name) from item;
rollback;
select 'after rollback', count(*), min(name) from item;
begin;
delete from item where id % 2 = 0;
commit;
select 'deleted', changes(), count(*), total_changes() from item;
select 'join', count(*) from item a join item b on a.category = b.category and b.id = a.id + 34;
vacuum;
select 'vacuum', count(*), (select count(*) from pragma_page_count where page_count > 10) from item;
pragma integrity_check;
pragma journal_mode = wal;
insert into item values (20001, 'in the log', 1, 1);
pragma wal_checkpoint(truncate);
pragma journal_mode = delete;
.backup /tmp/copy.db
attach '/tmp/copy.db' as copy;
select 'copy', count(*), max(id) from copy.item;
pragma copy.integrity_check;
